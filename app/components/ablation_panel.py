"""Ablation on the pages: branches of one module switched off live, and the sweep over every branch."""

from __future__ import annotations

import streamlit as st

from app import state, theme
from app.components import ablation_view, background
from app.components.channel_facts import Unit
from app.components.choices import kept
from app.components.why_answers import blurred_means, sweeping, words_of
from inception_model.ablation import FILLS, Ablation, AblationResult, Fill, Sweep, ablate
from inception_model.service import BusyError
from inception_model.spec import BRANCH_UNIT, BRANCHES, HeadName
from inception_model.targets import Target

FILL_NAMES: dict[Fill, str] = {"zero": "zero", "mean": "mean over the blurred photo"}


def labels(index: int) -> str:
    """The words of a class."""
    return state.checkpoint().label(index).words


def fill_choice() -> Fill:
    """What a switched-off channel is set to; the same choice on every page."""
    chosen: Fill = kept(
        st.segmented_control, "Set to", "ablation.fill", "zero", FILLS,
        options=list(FILLS), format_func=FILL_NAMES.get, required=True,
    )  # fmt: skip
    return chosen


def parts_offered(unit: Unit) -> dict[str, str]:
    """What can be switched off in the picked channel's module: text for `Ablation.parse` -> words."""
    names = {f"{unit.module}:{kind}": theme.BRANCH_NAMES[kind] for kind in BRANCHES}
    for kind, node in BRANCH_UNIT.items():
        if node == unit.node:
            names[f"{unit.module}:{kind}:{unit.channel}"] = f"channel {unit.channel} of {theme.BRANCH_NAMES[kind]}"
    return names


def show(unit: Unit) -> None:
    """Toggles for the module's branches and the picked channel, and the three heads without them, at once."""
    names = parts_offered(unit)
    title = st.empty()
    with st.container(key="ablation-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        off = kept_parts(unit.module, names)
        fill = fill_choice()
    result = _result(off, fill) if off else None
    with title.container():
        theme.heading(f"Switch off parts of {unit.module}", sentence(unit.module, off, names, result))
    if result is not None:
        st.html(ablation_view.result_html(result, state.service().classifier.trained_heads, labels))


def kept_parts(module: str, names: dict[str, str]) -> list[str]:
    """The parts that are off; a channel that is no longer picked is on again."""
    key, option = "ablation-off", f"ablation.off.{module}"

    def changed() -> None:
        state.set_option(option, tuple(st.session_state[key]))

    kept_off: tuple[str, ...] = state.option(option, ())
    off = [part for part in kept_off if part in names]
    st.session_state[key] = off
    st.pills("Off", list(names), selection_mode="multi", format_func=names.__getitem__, key=key, on_change=changed)
    return off


def sentence(module: str, off: list[str], names: dict[str, str], result: AblationResult | None) -> str:
    """What one sees, with the numbers of this run."""
    if result is None:
        return (
            f"The branches of {module} only meet in its concatenation, so each can be taken out alone: pick one and "
            "see what the three heads say without it. (Paper, Figure 2(b).)"
        )
    again = f"{len(result.rerun)} modules ran again" if result.rerun else "no module had to run again"
    return (
        f"Without {', '.join(names[part] for part in off)} of {module}: {again}, {result.seconds * 1000:.0f} ms; "
        f"what lies before {module} is known. Bars: now; marks: before. (Paper, Figure 2(b).)"
    )


def _result(off: list[str], fill: Fill) -> AblationResult | None:
    ablation = Ablation.parse(sorted(off), state.spec(), fill)
    service, trace = state.service(), state.trace()
    try:
        means = blurred_means() if fill == "mean" else None
        return state.remember(
            ("ablation", ablation), lambda: service.run(lambda twin: ablate(twin, trace, ablation, means))
        )
    except BusyError as error:
        st.warning(str(error))
        return None


def show_sweep(head: HeadName, target: Target) -> None:
    """Every branch of every module off, one at a time, on request."""
    modules = state.spec().module_names
    theme.heading(
        "Every branch switched off in turn",
        f"The change of the score of {words_of(target)} when one of the {len(modules) * len(BRANCHES)} branches is "
        "off and all others stay: what the network needs, not what it used; a head in front of a module does not "
        "notice. (Paper, Figures 2(b) and 3.)",
    )
    fill = fill_choice()
    found: Sweep | None = background.answer(
        "why-sweep", ("ablation", "sweep", fill), sweeping(fill), "Sweep", ask="Switch off each of the 36 branches"
    )
    if found is not None:
        trained = state.service().classifier.trained_heads
        st.html(ablation_view.sweep_html(found, state.spec(), trained, target))
        st.html(f'<div class="scope-say">{ablation_view.sweep_in_words(found, target, head)}</div>')
