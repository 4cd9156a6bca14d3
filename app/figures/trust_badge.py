"""The badge on a map, and the evidence behind it: checks at once, longer ones on request."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from app.jobs.attribution import Question, check_job, known_badge
from app.state.panel import Panel
from app.static import style
from app.widgets import progress, teach
from app.widgets.inline_svg import draw
from inception_model.attribution import Attribution
from inception_model.drawing.numbers import number
from inception_model.trust import CHECKS, QUICK, Badge, Curve, Evidence, Randomisation

STYLE = f"<style>\n{style('trust_badge')}</style>"

PAPERS = {
    "completeness": "Sundararajan et al. 2017, section 3",
    "insertion": "Petsiuk et al. 2018, section 4",
    "deletion": "Petsiuk et al. 2018, section 4",
    "randomisation": "Adebayo et al. 2018, section 3",
    "infidelity": "Yeh et al. 2019, section 2",
    "sensitivity": "Yeh et al. 2019, section 3",
}
"""Where each check comes from."""


def verdict(found: Evidence | None) -> str:
    """One word for a check."""
    if found is None:
        return "not run"
    return {True: "passes", False: "fails", None: "nothing promised"}[found.passed]


def state_words(badge: Badge) -> str:
    """The badge in a few words; one that passes also says what was not asked yet."""
    left = len(CHECKS) - len(badge.evidence)
    passes = not badge.failed and any(found.passed for found in badge.evidence)
    return f"{badge.state}, {left} not run" if passes and left else badge.state


def show(panel: Panel, question: Question, attribution: Attribution, slot: str, *, auto: bool = False) -> Badge:
    """The badge as a button that opens into its evidence; with `auto` the quick checks run without being asked for."""
    badge = known_badge(panel, question, attribution, tuple(CHECKS))
    with st.popover(f"Trust: {state_words(badge)}", key=panel.widget_key(f"trust-{slot}")):
        st.html(
            '<p class="scope-cap">How far can this map be believed? Each check asks one thing, says what it found, '
            "and can fail.</p>"
        )
        _quick(panel, question, attribution, slot, badge, auto)
        for name, check in CHECKS.items():
            found = badge.find(name)
            says = "" if found is None else f"<br>{html.escape(found.sentence)}"
            st.html(
                f'<b>{name}: {verdict(found)}</b> <span class="scope-mut">{html.escape(check.question)} '
                f"({PAPERS[name]}.)</span>{says}"
            )
            if found is not None:
                _draw(found, panel.widget_key(f"{slot}-{name}-drawing"))
            elif name not in QUICK:
                progress.answer(
                    panel,
                    f"{slot}-{name}",
                    check_job(panel, question, attribution, name),
                    name.capitalize(),
                    ask=f"Run {name}",
                )
        if panel.first:
            teach.note("trust")
    return badge


def _quick(panel: Panel, question: Question, attribution: Attribution, slot: str, badge: Badge, auto: bool) -> None:
    missing: Sequence[str] = [name for name in QUICK if badge.find(name) is None]
    if missing:
        jobs = [check_job(panel, question, attribution, name) for name in QUICK[1:]]
        ask = "" if auto else "Run the quick checks"
        progress.answers(panel, f"{slot}-quick", jobs, "Quick checks", ask=ask, patience=0, low_priority=auto)


def _draw(found: Evidence, key: str) -> None:
    if isinstance(found, Curve):
        draw(STYLE + curve_html(found), key)
    elif isinstance(found, Randomisation):
        draw(STYLE + randomisation_html(found), key)


def curve_html(curve: Curve) -> str:
    """The score over the share of touched pixels: the map as a strong line, random places as thin ones."""
    every = [value for line in (curve.scores, *curve.random) for value in line]
    low, high = min(0.0, *every), max(every)
    span = (high - low) or 1.0

    def path(scores: Sequence[float]) -> str:
        return "M" + "L".join(
            f"{2 + 296 * x:.1f} {86 - 80 * (y - low) / span:.1f}" for x, y in zip(curve.shares, scores, strict=True)
        )

    rivals = "".join(
        f'<path d="{path(line)}" stroke="var(--mut)" stroke-width="1" opacity=".7"/>' for line in curve.random
    )
    says = (
        f"{curve.name}: area {curve.auc:.3f} for the map, {curve.random_mean:.3f} with a spread of "
        f"{curve.random_spread:.3f} for random places"
    )
    return (
        f'<svg viewBox="0 0 300 104" width="300" height="104" role="img" aria-label="{says}"><g fill="none">{rivals}'
        f'<path d="{path(curve.scores)}" stroke="var(--ink)" stroke-width="2.5"/></g>'
        '<path d="M2 88H298" stroke="var(--line)"/><g font-size="12" fill="var(--mut)">'
        '<text x="2" y="101">0% of pixels</text><text x="298" y="101" text-anchor="end">100%</text></g></svg>'
        f"<p>Strong: the map. Thin: random places. Height: {curve.unit}, from {number(low)} to {number(high)}.</p>"
    )


def randomisation_html(found: Randomisation) -> str:
    """Rank correlation with the original map, one bar per depth of the cascade, from -1 to 1."""
    rows = "".join(
        f"<span>{html.escape(part)}</span><div><u></u>"
        f'<i style="left:{50 + min(value, 0) * 50:.1f}%;width:{abs(value) * 50:.1f}%"></i></div><b>{value:+.2f}</b>'
        for part, value in zip(found.parts, found.by_depth, strict=True)
    )
    note = "<p>Rank correlation with the map above, from −1 to 1; 0: nothing is left of it.</p>"
    return f'<div class="rand">{rows}</div>{note}'
