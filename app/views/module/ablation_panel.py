"""Ablation on the page Module: branches and channels of any modules switched off live."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import streamlit as st

from app import theme
from app.figures import ablation as ablation_view
from app.jobs.ablation import result_of
from app.state import network, options, session
from app.state.panel import Panel
from app.state.selection import Unit
from app.widgets import shown_value, teach
from app.widgets.fill_choice import fill_choice
from inception_model.analysis.ablation import Ablation, AblationResult, Fill
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.serving.service import BusyError


def parts_offered(unit: Unit) -> list[str]:
    """What the pills offer: the branches of the picked channel's module and that channel, for `Ablation.parse`."""
    parts = [f"{unit.module}:{kind}" for kind in BRANCHES]
    return parts + [f"{unit.module}:{kind}:{unit.channel}" for kind, node in BRANCH_UNIT.items() if node == unit.node]


def part_name(text: str) -> str:
    """A part in words, its module left out: `5×5`, `channel 17 of 5×5`."""
    part = Part.parse(text, network.spec())
    branch = BRANCH_NAMES[part.branch] if part.branch else "everything"
    return branch if part.channel is None else f"channel {part.channel} of {branch}"


def parts_off() -> list[str]:
    """What is off, of any module, in depth order; parts that this network does not have are left out."""
    spec, found = network.spec(), []
    for text in session.option(options.ABLATION_OFF):
        with contextlib.suppress(ValueError):
            found.append((spec.module_names.index(Part.parse(text, spec).module), text))
    return [text for _, text in sorted(found, key=lambda place: place[0])]


def set_off(parts: Sequence[str]) -> None:
    """Keeps what is off, for every module at once."""
    session.set_option(options.ABLATION_OFF, tuple(parts))


def show(panel: Panel, unit: Unit) -> None:
    """Toggles for the module's branches and the picked channel, and the three heads without all that is off."""
    title = st.empty()
    with st.container(key="ablation-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        off = _pills(parts_offered(unit))
        fill = fill_choice()
    _chips(off)
    result = _result(panel, off, fill) if off else None
    with title.container():
        theme.heading(f"Switch off parts of {unit.module}", sentence(unit.module, off, result))
    if result is not None:
        st.html(ablation_view.result_html(result, network.trained_heads(), network.label))
        teach.note("ablation")


def _pills(offered: list[str], key: str = "ablation-off") -> list[str]:
    """One pill per part of the module on screen; returns everything that is off, here and elsewhere."""
    off = parts_off()

    def changed() -> None:
        set_off([*(part for part in off if part not in offered), *st.session_state[key]])

    shown_value.draw(
        st.pills, "Off", key, [part for part in offered if part in off],
        options=offered, selection_mode="multi", format_func=part_name, on_change=changed,
    )  # fmt: skip
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


def _heads() -> str:
    count = len(network.spec().heads)
    return "the network says" if count == 1 else f"the {'two' if count == 2 else 'three'} heads say"


def sentence(module: str, off: list[str], result: AblationResult | None) -> str:
    """What one sees, with the numbers of this run."""
    if result is None:
        return (
            f"The branches of {module} only meet in its concatenation, so each can be taken out alone: pick one and "
            f"see what {_heads()} without it; go to another module to add more. (Paper, Figure 2(b).)"
        )
    again = f"{len(result.rerun)} modules ran again" if result.rerun else "no module had to run again"
    first = result.ablation.modules(network.spec())[0]
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


def _result(panel: Panel, off: list[str], fill: Fill) -> AblationResult | None:
    try:
        return result_of(panel, Ablation.parse(sorted(off), network.spec(), fill))
    except BusyError as error:
        st.warning(str(error))
        return None
