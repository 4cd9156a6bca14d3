"""Whether a module's branches specialise: what their channels prefer among gratings, as dots in branch colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from markupsafe import Markup

from app import theme
from app.jobs.stimuli import selectivity_job
from app.state import selection
from app.state.selection import Unit
from app.static import script, style
from app.templates import render
from app.views.module import atlas
from app.widgets import progress, teach
from inception_model.analysis.selectivity import (
    AXES,
    FREQUENCIES,
    ORIENTATIONS,
    PHASES,
    RankEffect,
    Selectivity,
    branch_differences,
)
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, BranchKind
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES

Summary = Mapping[BranchKind, Selectivity]

PICTURES = len(AXES) * len(ORIENTATIONS) * len(FREQUENCIES) * len(PHASES)
TITLES = {
    "orientation": "orientation selectivity",
    "frequency": "frequency selectivity",
    "colour": "colour selectivity",
    "preferred_frequency": "preferred frequency",
}
MEANING = {
    "orientation": "0: all orientations alike, 1: one only",
    "frequency": "0: all frequencies alike, 1: one only",
    "colour": "0: grey only, 0.5: both alike, 1: colour only",
}
# Shares of rank variance from which a difference is called so (Rea and Parker 1992).
STRENGTHS = ((0.36, "differ strongly"), (0.16, "differ clearly"), (0.04, "differ a little"), (0.0, "hardly differ"))

_DOTS = st.components.v2.component(
    "scope_specialisation",
    html=render("module_specialisation_frame.html"),
    css=style("specialisation"),
    js=script("specialisation"),
)


def show(unit: Unit, key: str = "specialisation") -> None:
    """The summary of the picked channel's module, on request; a click on a dot picks that channel."""
    title = st.empty()
    with st.container(key=f"{key}-work"):
        job = selectivity_job(unit.module)
        summary: Summary | None = progress.answer(None, "module-summary", job, "Gratings", ask="Show the gratings")
    with title.container():
        theme.heading(f"Do the branches of {unit.module} specialise?", sentence(unit.module, summary))
    if summary is None:
        return

    def picked() -> None:
        value: Any = (st.session_state.get(key) or {}).get("pick") or {}
        kind, channel = value.get("kind"), value.get("channel")
        if kind in BRANCHES and isinstance(channel, int):
            selection.set_node(BRANCH_UNIT[kind], max(0, channel))
            atlas.forget_figure()  # its outline moves along

    picked_kind = next((kind for kind, node in BRANCH_UNIT.items() if node == unit.node), None)
    data = {"html": cards_html(summary), "chosen": {"kind": picked_kind, "channel": unit.channel}}
    _DOTS(key=key, data=data, on_pick_change=picked)
    st.html(render("say.html", text=verdict(unit.module, summary)))
    teach.note("branches")


def sentence(module: str, summary: Summary | None) -> str:
    """What one sees, or would see."""
    shown = (
        f"{PICTURES} gratings of {len(ORIENTATIONS)} orientations, {len(FREQUENCIES)} frequencies, {len(AXES)} colour "
        f"axes and {len(PHASES)} phases"
    )
    if summary is None:
        return (
            f"{shown} shown to {module}: does a branch with larger filters prefer other orientations, frequencies or "
            "colours than its neighbours? Takes some seconds. (Paper, section 2: filters of several sizes.)"
        )
    silent = ", ".join(
        f"{found.silent} of {len(found.colour)} in {BRANCH_NAMES[kind]}"
        for kind, found in summary.items()
        if found.silent
    )
    return (
        f"{shown}; one dot per channel, the line is the branch's median. Channels that answer none of them: "
        f"{silent or 'none'}. Click a dot to pick the channel. (Paper, section 2: filters of several sizes.)"
    )


def verdict(module: str, summary: Summary) -> str:
    """One honest sentence on whether the branches differ, and what the number is."""
    found = {name: effect for name, effect in branch_differences(summary).items() if np.isfinite(effect.share)}
    if not found:
        return f"Too few channels of {module} answer to compare its branches."
    real = {name: effect for name, effect in found.items() if effect.share > effect.limit}
    shares = ", ".join(f"{TITLES[name]} {effect.share:.1%}" for name, effect in found.items())
    chance = max(found.values(), key=lambda effect: effect.chance)
    about = (
        f"Which branch a channel sits in explains this share of the variance of ranks: {shares} (Kruskal and Wallis's "
        f"H over n − 1; 0%: alike, 100%: no overlap; chance gives {chance.chance:.1%}, rarely above "
        f"{chance.limit:.1%})."
    )
    if not real:
        return f"No: on this network the branches of {module} differ no more than chance would have it. {about}"
    widest = max(real, key=lambda name: real[name].share)
    how = strength(real[widest])
    return f"The branches of {module} {how} on this network, most in {contrast(widest, summary)}. {about}"


def strength(effect: RankEffect) -> str:
    """A share of rank variance in a word."""
    return next(word for least, word in STRENGTHS if effect.share >= least)


def contrast(name: str, summary: Summary) -> str:
    """The two branches whose medians lie farthest apart: `orientation selectivity (3×3 0.42, pool 0.17)`."""
    medians = {kind: median(getattr(found, name)) for kind, found in summary.items()}
    known = {kind: value for kind, value in medians.items() if np.isfinite(value)}
    high, low = max(known, key=lambda kind: known[kind]), min(known, key=lambda kind: known[kind])
    names = BRANCH_NAMES
    if known[high] == known[low]:
        return f"{TITLES[name]} (medians all {number(known[high])})"
    return f"{TITLES[name]} (median {number(known[high])} in {names[high]}, {number(known[low])} in {names[low]})"


def median(values: np.ndarray) -> float:
    """The median of what is no NaN; NaN where nothing is left."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def cards_html(summary: Summary) -> Markup:
    """Three cards of four rows: a dot per channel and, beside it, how many channels prefer which value."""
    preferred = {
        "orientation": ("preferred_orientation", np.asarray(ORIENTATIONS, float), 180.0, "°"),
        "frequency": ("preferred_frequency", np.asarray(FREQUENCIES), None, " cycles per image"),
    }
    cards = [
        {
            "title": TITLES[name],
            "meaning": meaning,
            "rows": [_row(name, kind, found, preferred.get(name)) for kind, found in summary.items()],
            "prefers": _PREFERS.get(name),
        }
        for name, meaning in MEANING.items()
    ]
    return render("module_specialisation.html", cards=cards)


_PREFERS = {
    "orientation": f"Bars: channels by preferred orientation, {', '.join(f'{v}°' for v in ORIENTATIONS)}.",
    "frequency": f"Bars: channels by preferred frequency, {', '.join(f'{v:g}' for v in FREQUENCIES)} cycles per image.",
}


def _row(name: str, kind: BranchKind, found: Selectivity, preferred: Any) -> dict[str, Any]:
    """A branch's row on a card; `dots` is empty where none of its channels answers."""
    values = getattr(found, name)
    middle, branch = median(values), BRANCH_NAMES[kind]
    if not np.isfinite(middle):
        return {"kind": kind, "branch": branch, "dots": ""}
    best = int(np.nanargmax(values))
    return {
        "kind": kind,
        "branch": branch,
        "middle": middle,
        "best": best,
        "highest": float(values[best]),
        "places": ",".join("" if np.isnan(v) else f"{v:.3f}" for v in values),
        "dots": "".join(f"M{100 * v:.1f} {height(c):.1f}h0" for c, v in enumerate(values) if not np.isnan(v)),
        "says": f"{branch}: median {number(middle)} of {int((~np.isnan(values)).sum())} channels",
        "bars": _bars(found, preferred) if preferred else None,
    }


def height(channel: int) -> float:
    """Where a channel's dot stands in its row, so that dots of like value do not hide each other."""
    return 3 + 22 * ((channel * 0.618034) % 1)


def _bars(found: Selectivity, preferred: tuple[str, np.ndarray, float | None, str]) -> dict[str, Any]:
    """How many channels prefer which of the shown values (the nearest one): (left, height) of each bar, in words."""
    name, shown, around, unit = preferred
    counts = count_nearest(getattr(found, name), shown, around)
    tall, step = max(int(counts.max()), 1), 60 / len(shown)
    return {
        "places": [(i * step, 28 * count / tall) for i, count in enumerate(counts)],
        "width": step - 1.5,
        "says": ", ".join(f"{count} at {value:g}{unit}" for value, count in zip(shown, counts, strict=True)),
    }


def count_nearest(values: np.ndarray, shown: np.ndarray, around: float | None) -> np.ndarray:
    """Values (C,) -> how many lie nearest to each of `shown`; `around`: where the values begin again."""
    known = values[~np.isnan(values)]
    apart = np.abs(known[:, None] - shown[None])
    if around is not None:
        apart = np.minimum(apart, around - apart)
    return np.bincount(apart.argmin(axis=1), minlength=len(shown))
