"""Ablation on the pages: branches and channels of any modules switched off live, and the sweep over every branch."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import streamlit as st

from app import state, theme
from app.figures import ablation as ablation_view
from app.jobs import background
from app.jobs.attribution import blurred_means, sweeping, words_of
from app.views.module.channel_facts import Unit
from app.widgets import teach
from app.widgets.persistent_choice import kept
from inception_model.analysis.ablation import FILLS, Ablation, AblationResult, Fill, Sweep, ablate
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, HeadName
from inception_model.inference.targets import Target
from inception_model.serving.service import BusyError

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


def parts_offered(unit: Unit) -> list[str]:
    """What the pills offer: the branches of the picked channel's module and that channel, for `Ablation.parse`."""
    parts = [f"{unit.module}:{kind}" for kind in BRANCHES]
    return parts + [f"{unit.module}:{kind}:{unit.channel}" for kind, node in BRANCH_UNIT.items() if node == unit.node]


def part_name(text: str) -> str:
    """A part in words, its module left out: `5×5`, `channel 17 of 5×5`."""
    part = Part.parse(text, state.spec())
    branch = theme.BRANCH_NAMES[part.branch] if part.branch else "everything"
    return branch if part.channel is None else f"channel {part.channel} of {branch}"


def parts_off() -> list[str]:
    """What is off, of any module, in depth order; parts that this network does not have are left out."""
    spec, found = state.spec(), []
    for text in state.option("ablation.off", ()):
        with contextlib.suppress(ValueError):
            found.append((spec.module_names.index(Part.parse(text, spec).module), text))
    return [text for _, text in sorted(found, key=lambda place: place[0])]


def set_off(parts: Sequence[str]) -> None:
    """Keeps what is off, for every module at once."""
    state.set_option("ablation.off", tuple(parts))


def show(unit: Unit) -> None:
    """Toggles for the module's branches and the picked channel, and the three heads without all that is off."""
    title = st.empty()
    with st.container(key="ablation-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        off = _pills(parts_offered(unit))
        fill = fill_choice()
    _chips(off)
    result = _result(off, fill) if off else None
    with title.container():
        theme.heading(f"Switch off parts of {unit.module}", sentence(unit.module, off, result))
    if result is not None:
        st.html(ablation_view.result_html(result, state.service().classifier.trained_heads, labels))
        teach.note("ablation")


def _pills(offered: list[str], key: str = "ablation-off") -> list[str]:
    """One pill per part of the module on screen; returns everything that is off, here and elsewhere."""
    off = parts_off()

    def changed() -> None:
        set_off([*(part for part in off if part not in offered), *st.session_state[key]])

    st.session_state[key] = [part for part in offered if part in off]
    st.pills("Off", offered, selection_mode="multi", format_func=part_name, key=key, on_change=changed)
    return off


def _chips(off: list[str]) -> None:
    """Everything that is off, of all modules: a click switches it on again."""
    if not off:
        return
    with st.container(key="ablation-chips", horizontal=True, gap="small", vertical_alignment="center"):
        for part in off:
            name = f"{part.partition(':')[0]} {part_name(part)}"
            rest = [other for other in off if other != part]
            st.button(f"{name} ✕", key=f"on-{part}", help=f"Switch {name} on again", on_click=set_off, args=(rest,))
        st.button("Clear", key="ablation-clear", type="tertiary", on_click=set_off, args=((),))


def sentence(module: str, off: list[str], result: AblationResult | None) -> str:
    """What one sees, with the numbers of this run."""
    if result is None:
        return (
            f"The branches of {module} only meet in its concatenation, so each can be taken out alone: pick one and "
            "see what the three heads say without it; go to another module to add more. (Paper, Figure 2(b).)"
        )
    again = f"{len(result.rerun)} modules ran again" if result.rerun else "no module had to run again"
    first = result.ablation.modules(state.spec())[0]
    return (
        f"Without {listed(off)}: {again}, {result.seconds * 1000:.0f} ms; what lies before {first} is known. "
        "Bars: now; marks: before. (Paper, Figure 2(b).)"
    )


def listed(off: list[str]) -> str:
    """Parts in words, module by module: `1×1, pool of 4d and channel 3 of 5×5 of 5b`."""
    modules = dict.fromkeys(part.partition(":")[0] for part in off)
    groups = [
        f"{', '.join(part_name(part) for part in off if part.partition(':')[0] == module)} of {module}"
        for module in modules
    ]
    return " and ".join(groups)


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
        teach.note("sweep")
