"""How faithful this network's maps are, measured over a data set: a table of methods and measures for one head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup

from app import theme
from app.state import benchmark
from app.state.options import MODEL_BENCHMARK_HEAD
from app.templates import as_text, render
from app.widgets import teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.trust.benchmark import METRICS, BenchmarkError, Table
from inception_model.trust.benchmark.table import Cell, Row

COMMAND = "inceptionscope benchmark DATA --out FOLDER"
ARROWS = {"high": "↑", "low": "↓"}


@dataclass(frozen=True)
class Bar:
    """Where a cell's interval and mean lie on its column's scale, as shares of the width."""

    left: float
    width: float
    mean: float


def bars(rows: Sequence[Row], metric: str) -> dict[str, Bar]:
    """By method: every interval of a column on one scale, from the lowest to the highest end."""
    cells = {row.method: row.cells[metric] for row in rows if metric in row.cells}
    low = min((cell.low for cell in cells.values()), default=0.0)
    high = max((cell.high for cell in cells.values()), default=1.0)
    span = (high - low) or 1.0
    return {
        name: Bar((cell.low - low) / span, (cell.high - cell.low) / span, (cell.mean - low) / span)
        for name, cell in cells.items()
    }


def in_words(table: Table, head: str) -> str:
    """Which methods are better than knowing nothing, measure by measure."""
    if table.few:
        return table.few
    rows = table.of(head)
    said = []
    for name in ("insertion", "deletion", "road", "average_drop"):
        better = [row.label for row in rows if not row.rival and name in row.cells and row.cells[name].beats_all]
        said.append(f"{METRICS[name].label}: {', '.join(better) or 'none'}")
    return (
        f"Better at {head} than random pixels, random cells and the image's centre, by the 95% interval of the "
        f"difference over {table.images} images, are: {'; '.join(said)}."
    )


def notes(table: Table, head: str) -> list[str]:
    """How it was measured, what was left out, and how long it took."""
    settings = table.manifest.settings
    removed = ", ".join(f"{share:.0%}" for share in settings["removed"])
    empty = [f"{row.label} {row.empty}" for row in table.of(head) if row.empty]
    broken = f" {len(table.broken)} more images couldn't be read." if table.broken else ""
    return [
        f"{table.counted}, maps for the {settings['target']} class of each head; insertion starts from the "
        f"blurred image and deletion ends at the mean colour, in {settings['steps']} steps; ROAD imputes {removed} of "
        f"the pixels.{broken}",
        *([table.few] if table.few else []),
        *([f"Maps that are the same everywhere are left out: {', '.join(empty)}."] if empty else []),
        "Bold: better than all three maps that say nothing. Bars: 95% bootstrap intervals, on one scale per column.",
        f"Measuring took {table.measures:.0f} s per image. To measure again: {COMMAND}",
    ]


def table_html(table: Table, head: str) -> Markup:
    """A row per method, then the maps that say nothing."""
    rows = table.of(head)
    scales = {name: bars(rows, name) for name in METRICS}
    return render(
        "model_benchmark.html", head=head, rows=rows, metrics=list(METRICS.values()), arrows=ARROWS, scales=scales,
        title=_title, notes=notes(table, head),
    )  # fmt: skip


def _title(row: Row, cell: Cell) -> str:
    if not row.interval:
        return "one image: no interval"
    return f"95% interval {cell.low:.3f} to {cell.high:.3f}"


def show() -> None:
    """The section; without a file one quiet line that says how to measure one."""
    theme.heading(
        "Are its maps faithful?",
        "Pixels are removed, revealed or imputed in the order of each map while the head's probability is watched; "
        "three maps that know nothing of the network show what nothing gives.",
    )
    try:
        table = benchmark.table()
    except BenchmarkError as error:
        st.caption(as_text(f"Nothing is shown: {error}."))
        return
    if table is None:
        st.caption(
            as_text(
                f"No benchmark lies beside this file. {COMMAND} measures one; its table.json, named as the weights "
                "with .benchmark.json at the end and put beside them, is shown here."
            )
        )
        return
    heads = list(table.heads)
    head = persistent_choice(
        st.segmented_control, "Head", MODEL_BENCHMARK_HEAD.otherwise("main" if "main" in heads else heads[-1]), heads,
        options=heads, required=True, wrap=True,
    )  # fmt: skip
    st.html(render("say.html", text=in_words(table, head)))
    st.html(table_html(table, head))
    teach.note("benchmark")
