"""Cost: what the 1x1 reductions save, by arithmetic and by the clock, and Table 1 beside the paper's figures."""

from __future__ import annotations

import streamlit as st

from app.figures import network_line
from app.jobs import timing
from app.jobs.timing import RUNS
from app.state import network, selection
from app.templates import render
from app.theme import heading
from app.views.cost import lab, measured, tables
from app.views.cost.bars import show_bars
from app.views.cost.tables import DEFAULT_QUANTITY, UNIT_OF, Quantity, of, times, typeset
from app.widgets import present, teach
from inception_model.architecture.spec import DEFAULT_SIZE, NetworkSpec
from inception_model.architecture.variants import get_spec
from inception_model.cost.layers import DEFAULT_NAIVE, NAIVE, NaiveKind
from inception_model.cost.paper_figures import PRINTED
from inception_model.cost.report import ComputeReport, compute_report
from inception_model.cost.timing import ModuleTiming
from inception_model.drawing.numbers import amount
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.progress import Cancelled
from inception_model.serving.service import BusyError

LOADED = "loaded checkpoint"
NETWORKS = (LOADED, "paper", "batchnorm", "torchvision", "inception5h")
NAIVE_LABELS: dict[NaiveKind, str] = {
    "same-outputs": "same outputs",
    "no-projections": "no projections",
    "figure-2a": "Figure 2(a) stacked",
}


def choices() -> tuple[str, NetworkSpec, int, NaiveKind, Quantity]:
    """The controls on top: network, meaning of naive, quantity."""
    left, middle, right = st.columns([4, 5, 3])
    choice = left.selectbox("Network", NETWORKS, key="cost_network", bind="query-params", persist_state="session")
    kind = middle.segmented_control(
        "Naive network to compare with", list(NAIVE), key="naive", default=DEFAULT_NAIVE, required=True,
        format_func=NAIVE_LABELS.__getitem__, bind="query-params",
    )  # fmt: skip
    quantity = right.segmented_control(
        "Count", list(UNIT_OF), key="quantity", default=DEFAULT_QUANTITY, required=True,
        format_func=UNIT_OF.__getitem__, bind="query-params",
    )  # fmt: skip
    loaded = choice == LOADED
    spec = network.spec() if loaded else get_spec(choice)
    size = network.checkpoint().preprocessing.size if loaded else DEFAULT_SIZE
    return choice, spec, size, kind or DEFAULT_NAIVE, quantity or DEFAULT_QUANTITY


def show_savings(report: ComputeReport, quantity: Quantity, measured: tuple[ModuleTiming, ...] | None) -> None:
    """Every module, solid and hatched, and the whole network."""
    real, naive = (of(cost, quantity) for cost in report.modules_total())
    clock = ""
    if measured:
        ratio = sum(t.naive_seconds for t in measured) / sum(t.reduced_seconds for t in measured)
        clock = f"; measured on this device {ratio:.1f}×"
    heading(
        "What the 1×1 reductions save",
        f"{UNIT_OF[quantity]} per module on one {report.size} × {report.size} image, drawn to scale: solid is what "
        f"runs, hatched the rest up to the naive module. All nine: {amount(real)} instead of "
        f"{amount(naive)} ({times(naive, real)}{clock}). (Section 4, Figure 2.)".replace("parameters", "Parameters", 1),
    )
    st.html(tables.legend_html())
    st.html(render("cost_naive.html", text=typeset(NAIVE[report.kind])))
    show_bars([tables.modules_panel(report, quantity)], UNIT_OF[quantity], "cost-modules")
    teach.note("savings")


def show_network(report: ComputeReport, quantity: Quantity) -> None:
    """Totals and the budget line."""
    total, naive = of(report.total, quantity), of(report.total_naive, quantity)
    aux = sum(of(cost, quantity) for cost in report.aux.values())
    sentence = (
        f"Stem, modules and classifier together: {amount(total)} {UNIT_OF[quantity]} instead of {amount(naive)} "
        f"({times(naive, total)}); stem and classifier, in grey, have no reductions to lose."
    )
    if quantity == "macs":
        column = sum(row.ops for row in PRINTED.values())
        sentence += (
            f" That is {lab.budget_words(total)} (section 1); the paper's own ops column adds up to "
            f"{column / 1e9:.3f} billion."
        )
    if report.aux:
        sentence += f" The auxiliary heads add {amount(aux)}, in training or when one looks at them."
    for name, reason in report.aux_left_out.items():
        sentence += f" {name} is not counted: {reason}."
    heading("The whole network", sentence)
    show_bars([tables.network_panel({"all": report}, quantity)], UNIT_OF[quantity], "cost-network")
    teach.note("network")


def _lab_follows() -> None:
    st.session_state[selection.LAB_PART] = st.session_state[selection.COST_MODULE]


def show_module(report: ComputeReport, quantity: Quantity) -> str:
    """The four branches and six convolutions of one module; returns its name."""
    names = list(report.spec.module_names)
    title = st.empty()
    module = st.segmented_control(
        "Module", names, default=selection.module() if selection.module() in names else names[0],
        key=selection.COST_MODULE, required=True, label_visibility="collapsed", on_change=_lab_follows,
    )  # fmt: skip
    if module != selection.module():
        selection.set_module(module)
    best = max(report.of_module(module), key=lambda b: of(b.naive, quantity) / max(1, of(b.cost, quantity)))
    value, naive = of(best.cost, quantity), of(best.naive, quantity)
    with title.container():
        heading(
            f"Inside {module}",
            f"Its four branches on one scale. The {BRANCH_NAMES[best.branch]} branch saves most: "
            f"{amount(value)} instead of {amount(naive)} {UNIT_OF[quantity]} ({times(naive, value)}). "
            "(Table 1, Figure 2.)",
        )
    left, right = st.columns(2, gap="medium")
    with left:
        show_bars([tables.branches_panel(report, module, quantity)], UNIT_OF[quantity], "cost-branches")
    right.html(tables.layers_table_html(report, module))
    teach.note("module-cost")
    return module


def show_table_1(report: ComputeReport) -> None:
    """The arithmetic beside the paper's printed figures."""
    comparable = [row for row in report.rows if row.comparable] if any(r.comparable for r in report.modules) else []
    sentence = f"Every row of the network on a {report.size} × {report.size} image, weights without biases. "
    if comparable:
        close = sum(abs(row.printed.ops / row.cost.macs - 1) < 0.025 for row in comparable if row.printed)
        sentence += (
            f"The paper's ops agree within 2.5% in {close} of {len(comparable)} rows; where its columns differ from "
            "the arithmetic on its own widths, the reasons below are inferred from the numbers."
        )
    heading("Table 1 beside the paper's figures", sentence)
    st.html(tables.table_1_html(report))
    if comparable:
        st.html(tables.disagreements_html())
    teach.note("table-1")


def show_measurement(report: ComputeReport) -> None:
    """The clock: real modules against their naive twins, side by side, on a button."""
    classifier = network.service().classifier
    where = f"{classifier.device.type} in {classifier.precision}"
    measured = timing.measured(report)
    if measured is None:
        heading(
            "Measured on this device",
            f"MACs are not time. The button runs each real module and its naive twin in turns, {RUNS} times each, on "
            f"{where}.",
        )
    else:
        fast, slow = sum(t.reduced_seconds for t in measured), sum(t.naive_seconds for t in measured)
        real, naive = report.modules_total()
        heading(
            "Measured on this device",
            f"Real modules and naive twins in turns, one image on {where}, medians of {RUNS}: {fast * 1e3:.1f} ms "
            f"instead of {slow * 1e3:.1f} ms, {slow / fast:.1f}×; MACs promise {times(naive.macs, real.macs)} "
            "(in brackets per module).",
        )
        show_bars([tables.timings_panel(measured, report)], "ms", "cost-timings", digits=".2f")
        teach.note("measured")
    if st.button("Measure again" if measured else "Measure all nine modules", key="measure"):
        _measure(report)


def _measure(report: ComputeReport) -> None:
    bar = st.progress(0.0, "Measuring")
    names = [*report.spec.module_names, "done"]

    def tell(done: int, total: int) -> None:
        bar.progress(done / total, f"Measuring {names[done]}")

    try:
        timing.measure(report, tell)
    except (BusyError, Cancelled) as error:
        bar.empty()
        st.warning(str(error))
        return
    st.rerun()


def main() -> None:
    """The page."""
    network_line.show("cost")
    with st.container(key="cost-choices"):
        choice, spec, size, kind, quantity = choices()
    report = compute_report(spec, size, kind)
    show_savings(report, quantity, timing.measured(report))
    show_network(report, quantity)
    if present.on():
        return
    module = show_module(report, quantity)
    lab.show(choice, spec, size, kind, quantity, module)
    show_measurement(report)
    measured.show()
    show_table_1(report)


main()
