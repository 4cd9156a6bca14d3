"""The badge on a map, and the evidence behind it: checks at once, longer ones on request."""

from __future__ import annotations

import streamlit as st
from markupsafe import Markup

from app.charts.curves import curve_figure, curve_words, legend_words
from app.jobs.attribution import Question, check_job, cost_words, known_badge
from app.state import network, options, session
from app.state.panel import Panel
from app.templates import render
from app.widgets import chart, progress, teach
from app.widgets.inline_svg import draw
from inception_model.attribution import Attribution
from inception_model.trust import CHECKS, QUICK, Badge, Curve, Evidence, Randomisation
from inception_model.trust.convergence import extra_images

PAPERS = {
    "completeness": "Sundararajan et al. 2017, section 3",
    "convergence": "Sundararajan et al. 2017, section 5",
    "insertion": "Petsiuk et al. 2018, section 4",
    "deletion": "Petsiuk et al. 2018, section 4",
    "sparseness": "Chalasani et al. 2020, section 5",
    "randomisation": "Adebayo et al. 2018, section 3",
    "random logit": "Sixt et al. 2020, section 4",
    "infidelity": "Yeh et al. 2019, section 2",
    "sensitivity": "Yeh et al. 2019, section 3",
}
"""Where each check comes from."""

MOST_IMAGES = 120
"""Images more than which the check of convergence waits for a click."""


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


def show(panel: Panel, question: Question, attribution: Attribution, slot: str) -> Badge:
    """The badge as a button that opens into its evidence."""
    badge = known_badge(panel, question, attribution, tuple(CHECKS))
    with st.popover(f"Trust: {state_words(badge)}", key=panel.widget_key(f"trust-{slot}")):
        _quick(panel, question, attribution, slot, badge)
        _evidence(panel, question, attribution, slot, badge)
    return badge


def beside(panel: Panel, question: Question, attribution: Attribution, slot: str) -> Badge:
    """The badge as a line that unfolds where it stands, beside the map, which stays in view; its quick checks run
    without being asked for."""
    badge = known_badge(panel, question, attribution, tuple(CHECKS))
    key = panel.widget_key(f"trust-{slot}")

    def unfolded() -> None:
        session.set_option(options.WHY_TRUST, bool(st.session_state[key]))

    st.session_state[key] = session.option(options.WHY_TRUST)
    folded = st.expander(f"Trust: {state_words(badge)}", key=key, on_change=unfolded)
    with folded:
        _quick(panel, question, attribution, slot, badge, auto=True)
        if session.option(options.WHY_TRUST):  # charts are drawn for those who look at them
            _evidence(panel, question, attribution, slot, badge)
    return badge


def _evidence(panel: Panel, question: Question, attribution: Attribution, slot: str, badge: Badge) -> None:
    """What each check asks and found; a button where it was not run."""
    says = "How far can this map be believed? Each check asks one thing, says what it found, and can fail."
    st.html(render("caption.html", text=says))
    quick = quick_checks(attribution)
    for name, check in CHECKS.items():
        found = badge.find(name)
        st.html(
            render(
                "trust_check.html", check=name, verdict=verdict(found), question=check.question,
                paper=PAPERS[name], sentence="" if found is None else found.sentence,
            )
        )  # fmt: skip
        if found is not None:
            _draw(found, panel.widget_key(f"{slot}-{name.replace(' ', '-')}-drawing"))
        elif name not in quick:
            cost = check.cost(network.spec(), question.head, question.cost, question.method)
            st.html(render("quiet.html", text=cost_words(cost)))
            progress.answer(
                panel,
                f"{slot}-{name.replace(' ', '-')}",
                check_job(panel, question, attribution, name),
                name.capitalize(),
                ask=f"Run {name}",
            )
    if panel.first:
        teach.note("trust")


def quick_checks(attribution: Attribution) -> tuple[str, ...]:
    """The quick checks of this map: how long convergence takes depends on how many gradients the map took."""
    return tuple(name for name in QUICK if name != "convergence" or extra_images(attribution) <= MOST_IMAGES)


def _quick(
    panel: Panel, question: Question, attribution: Attribution, slot: str, badge: Badge, auto: bool = False
) -> None:
    """The quick checks: on request, or with `auto` by themselves, after everything else that runs."""
    quick = quick_checks(attribution)
    if any(badge.find(name) is None for name in quick):
        jobs = [check_job(panel, question, attribution, name) for name in quick[1:]]
        ask = "" if auto else "Run the quick checks"
        progress.answers(panel, f"{slot}-quick", jobs, "Quick checks", ask=ask, patience=0, low_priority=auto)


def _draw(found: Evidence, key: str) -> None:
    if isinstance(found, Curve):
        chart.show(curve_figure(found), key, curve_words(found), found.name)
        st.html(render("quiet.html", text=legend_words(found)))
    elif isinstance(found, Randomisation):
        draw(randomisation_html(found), key)


def randomisation_html(found: Randomisation) -> Markup:
    """Rank correlation with the original map, one bar per depth of the cascade, from -1 to 1."""
    return render("randomisation.html", depths=list(zip(found.parts, found.by_depth, strict=True)))
