"""The cost lab: a slider for every width of Table 1, and what the changed network would cost."""

from __future__ import annotations

import streamlit as st

from app.charts.costs import Panel as ChartPanel
from app.state import selection
from app.theme import heading
from app.views.cost.bars import show_bars
from app.views.cost.tables import UNIT_OF, Quantity, network_panel, row_bar, signed_percent, typeset
from app.widgets import shown_value, teach
from inception_model.architecture.spec import STEM_UNITS, NetworkSpec
from inception_model.cost.layers import NaiveKind, unit_widths, with_widths
from inception_model.cost.paper_figures import BUDGET_MACS
from inception_model.cost.report import ComputeReport, compute_report
from inception_model.drawing.numbers import amount

_WIDTHS = "scope.cost.widths"


def changes(network: str) -> dict[str, dict[str, int]]:
    """This session's changed widths of a network: module (or "stem") -> convolution -> channels."""
    every: dict[str, dict[str, dict[str, int]]] = st.session_state.setdefault(_WIDTHS, {})
    return every.setdefault(network, {})


def apply_changes(spec: NetworkSpec, changed: dict[str, dict[str, int]]) -> NetworkSpec:
    """The network with all of these widths."""
    for module, widths in changed.items():
        spec = with_widths(spec, module, widths)
    return spec


def widths_of(spec: NetworkSpec, part: str) -> dict[str, int]:
    """Widths by convolution, of a module or of the stem."""
    if part == "stem":
        return {unit: getattr(spec.stem, unit) for unit in STEM_UNITS}
    return unit_widths(spec.block(part))


def verdict(before: float, after: float) -> str:
    """A change in words: 12.3 M fewer (−10.4%)."""
    if before == after:
        return "as published"
    word = "fewer" if after < before else "more"
    return f"{amount(abs(after - before))} {word} ({signed_percent(after, before)})"


def budget_words(macs: int) -> str:
    """Where a network stands against the paper's budget."""
    share = macs / BUDGET_MACS - 1
    place = "over" if share > 0 else "under"
    return f"{abs(share):.1%} {place} the paper's budget of 1.5 billion multiply-adds"


def _reset(network: str, part: str | None) -> None:
    changed = changes(network)
    for name in [part] if part else list(changed):
        changed.pop(name, None)


def _slider(network: str, part: str, unit: str, published: int) -> None:
    """One width from 1 channel to twice the published one; remembered in `changes`."""
    key = f"width/{network}/{part}/{unit}"
    changed = changes(network)

    def moved() -> None:
        widths = changed.setdefault(part, {})
        widths[unit] = st.session_state[key]
        if widths[unit] == published:
            del widths[unit]
        if not widths:
            del changed[part]

    shown_value.draw(
        st.slider, f"{typeset(unit.replace('_', ' '))} (published: {published})", key,
        changed.get(part, {}).get(unit, published), min_value=1, max_value=max(2 * published, 8), on_change=moved,
    )  # fmt: skip


@st.fragment
def show(network: str, spec: NetworkSpec, size: int, kind: NaiveKind, quantity: Quantity, module: str) -> None:
    """Sliders and live results; only this part of the page runs again when one moves."""
    parts = ["stem", *spec.module_names]
    changed = changes(network)
    title = st.empty()
    part = st.segmented_control(
        "Part of the network",
        parts,
        key=selection.LAB_PART,
        default=module,
        required=True,
        label_visibility="collapsed",
    )
    published = widths_of(spec, part)
    for index, (unit, width) in enumerate(published.items()):
        if index % 3 == 0:
            columns = st.columns(3)  # row by row, so that the order stays when a phone stacks them
        with columns[index % 3]:
            _slider(network, part, unit, width)
    before = compute_report(spec, size, kind)
    after = compute_report(apply_changes(spec, changed), size, kind)
    with title.container():
        heading("Cost lab", _sentence(before.total.macs, after.total.macs, before.total.params, after.total.params))
    _results(part, before, after, quantity)
    teach.note("lab")
    with st.container(horizontal=True):
        st.button(f"{part} as published", on_click=_reset, args=(network, part), disabled=part not in changed)
        st.button("Everything as published", on_click=_reset, args=(network, None), disabled=not changed)


def _sentence(macs_before: int, macs_after: int, params_before: int, params_after: int) -> str:
    return (
        f"Move a width of Table 1 and see what it costs. The network takes {amount(macs_after)} MACs on one image: "
        f"{verdict(macs_before, macs_after)}, {budget_words(macs_after)}; it has {amount(params_after)} parameters: "
        f"{verdict(params_before, params_after)}. What it would lose in accuracy only training tells."
    )


def _results(part: str, before: ComputeReport, after: ComputeReport, quantity: Quantity) -> None:
    """The changed part and the whole network, as they were and as they are, each pair on one scale."""
    names = ["conv1", "conv2"] if part == "stem" else [part]
    reports = {"was": before, "now": after}
    bars = [row_bar(report, report.row(name), quantity, when) for name in names for when, report in reports.items()]
    changed = ChartPanel(bars, f"{' and '.join(names)}, {UNIT_OF[quantity]}")
    whole = network_panel(reports, quantity, f"Whole network, {UNIT_OF[quantity]}")
    show_bars([changed, whole], UNIT_OF[quantity], "cost-lab")
