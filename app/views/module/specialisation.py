"""Whether a module's branches specialise: what their channels prefer among gratings, as dots in branch colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from app import theme
from app.charts.specialisation import Preferred, Row, dots_figure, dots_words, median
from app.jobs.stimuli import summary_job, with_index
from app.state import selection
from app.state.selection import Unit
from app.templates import render
from app.views.module import atlas, families
from app.widgets import chart, progress, teach
from inception_model.analysis.selectivity import (
    AXES,
    FREQUENCIES,
    ORIENTATIONS,
    PHASES,
    RankEffect,
    Selectivity,
    branch_differences,
)
from inception_model.architecture.spec import BRANCH_UNIT, BranchKind
from inception_model.circuits.families import ModuleSummary
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


def show(unit: Unit, key: str = "specialisation") -> None:
    """The summary of the picked channel's module, on request; a click on a dot picks that channel."""
    title = st.empty()
    with st.container(key=f"{key}-work"):
        job = summary_job(unit.module)
        found: ModuleSummary | None = progress.answer(None, "module-summary", job, "Pictures", ask="Show the pictures")
        summary = None if found is None else found.selectivity
    with title.container():
        theme.heading(f"Do the branches of {unit.module} specialise?", sentence(unit.module, summary))
    if found is None or summary is None:
        return

    picked_kind = next((kind for kind, node in BRANCH_UNIT.items() if node == unit.node), None)
    picked = None if picked_kind is None else (picked_kind, unit.channel)
    for column, (name, meaning) in zip(st.columns(len(MEANING), gap="medium"), MEANING.items(), strict=True):
        with column:
            st.html(render("module_specialisation.html", title=TITLES[name], meaning=meaning, note=PREFERS.get(name)))
            _dots(name, summary, picked, f"{key}-{name}")
    _strongest(summary, f"{key}-strongest")
    st.html(render("say.html", text=verdict(unit.module, summary)))
    teach.note("branches")
    families.show(unit, with_index(found))


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
    silent, dull = (
        ", ".join(
            f"{many} of {len(summary[kind].colour)} in {BRANCH_NAMES[kind]}" for kind, many in counts.items() if many
        )
        for counts in (
            {kind: found.silent for kind, found in summary.items()},
            {kind: int(found.not_selective.sum()) for kind, found in summary.items()},
        )
    )
    return (
        f"{shown}; one dot per channel, the line is the branch's median. Channels that answer none of them: "
        f"{silent or 'none'}; not selective, because plain grey gets more than any of them: {dull or 'none'}. Click a "
        "dot to pick the channel. (Paper, section 2: filters of several sizes.)"
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


def _dots(name: str, summary: Summary, picked: tuple[BranchKind, int] | None, key: str) -> None:
    """The chart of one index; a click on a dot picks its channel."""
    rows, preferred = rows_of(name, summary), PREFERRED.get(name)

    def clicked() -> None:
        points: Any = (st.session_state.get(key) or {}).get("selection", {}).get("points", [])
        kinds = {BRANCH_NAMES[kind]: kind for kind in rows}
        found = next((point for point in points if isinstance(point.get("customdata"), int)), None)
        trace = None if found is None else figure.data[found["curve_number"]].name
        if found is not None and trace in kinds:
            pick(kinds[trace], found["customdata"])

    figure = dots_figure(rows, preferred, picked)
    chart.show(figure, key, dots_words(TITLES[name], rows, preferred), on_select=clicked)


def _strongest(summary: Summary, key: str) -> None:
    """The same choice by keyboard: the most selective channels of every branch, by index."""
    strongest = strongest_of(summary)

    def chosen() -> None:
        found = st.session_state.get(key)
        if found is not None:
            pick(found[1], found[2])

    st.selectbox(
        "Pick one of the most selective channels", list(strongest), index=None, key=key, on_change=chosen,
        format_func=strongest.__getitem__, placeholder="by index and branch",
    )  # fmt: skip


def strongest_of(summary: Summary, count: int = 3) -> dict[tuple[str, BranchKind, int], str]:
    """(index, branch, channel) -> its name with its value: the `count` strongest of each branch, by each index."""
    found = {}
    for name in MEANING:
        for kind, row in rows_of(name, summary).items():
            order = np.argsort(-row.values, kind="stable")[:count]  # what is not a number comes last
            for channel in (int(c) for c in order if not np.isnan(row.values[c])):
                value = number(float(row.values[channel]))
                found[name, kind, channel] = f"{TITLES[name]}, {BRANCH_NAMES[kind]}: channel {channel} ({value})"
    return found


def pick(kind: BranchKind, channel: int) -> None:
    """Makes a branch's channel the picked one."""
    selection.set_node(BRANCH_UNIT[kind], channel)
    atlas.forget_figure()  # its outline moves along


def rows_of(name: str, summary: Summary) -> dict[BranchKind, Row]:
    """An index of every branch, with how many channels prefer which of the shown values (the nearest one)."""
    found = {}
    for kind, branch in summary.items():
        counts: tuple[int, ...] = ()
        if name in PREFERRED:
            shown, around = np.asarray(PREFERRED[name].values), AROUND.get(name)
            counts = tuple(count_nearest(getattr(branch, f"preferred_{name}"), shown, around).tolist())
        found[kind] = Row(getattr(branch, name), counts)
    return found


PREFERRED = {
    "orientation": Preferred(tuple(map(float, ORIENTATIONS)), "°"),
    "frequency": Preferred(tuple(FREQUENCIES), " cycles per image"),
}
AROUND = {"orientation": 180.0}
"""Where the values of an axis begin again."""
PREFERS = {
    "orientation": f"Bars: channels by preferred orientation, {', '.join(f'{v}°' for v in ORIENTATIONS)}.",
    "frequency": f"Bars: channels by preferred frequency, {', '.join(f'{v:g}' for v in FREQUENCIES)} cycles per image.",
}


def count_nearest(values: np.ndarray, shown: np.ndarray, around: float | None) -> np.ndarray:
    """Values (C,) -> how many lie nearest to each of `shown`; `around`: where the values begin again."""
    known = values[~np.isnan(values)]
    apart = np.abs(known[:, None] - shown[None])
    if around is not None:
        apart = np.minimum(apart, around - apart)
    return np.bincount(apart.argmin(axis=1), minlength=len(shown))
