"""How an answer forms over the depth: four quantities of the heads and probes, and how far apart the heads are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, ends, figure, note, plain
from inception_model.analysis.timeline import MOST_DIVERGENT, Divergence, Reading, Timeline
from inception_model.drawing.numbers import percent, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 440
_PLACES = (((0.0, 0.47), (0.61, 0.86)), ((0.53, 1.0), (0.61, 0.86)),
           ((0.0, 0.47), (0.07, 0.32)), ((0.53, 1.0), (0.07, 0.32)))  # fmt: skip
"""Where the four plots stand, as shares of the figure: (left, right), (bottom, top)."""
_NEAR = 0.24
"""How much higher than a head's dot a probe's ring may be and still be in the way of its number."""


@dataclass(frozen=True)
class Quantity:
    """One quantity of a reading. `low` and `high`: where its axis ends, bottom and top; `value`: what is written at a
    dot, `more`: written too where there is room. On a `logarithmic` axis low and high are the numbers themselves."""

    title: str
    note: str
    of: Callable[[Reading], float]
    value: Callable[[Reading], str]
    low: float
    high: float
    names: dict[float, str]
    more: Callable[[Reading], str] = lambda _: ""
    logarithmic: bool = False

    def words(self, reading: Reading) -> str:
        """All that is written of a reading."""
        return self.value(reading) + self.more(reading)

    def height(self, reading: Reading) -> float:
        """How high it lies between bottom (0) and top (1)."""
        value, low, high = self.of(reading), self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return (value - low) / (high - low)


def quantities(line: Timeline) -> tuple[Quantity, ...]:
    """Probability and rank of the class, entropy and margin of the answers."""
    classes, name = max(line.classes, 2), short(line.label)
    most = math.log(classes)
    certain = f"nats; ln {line.classes} knows nothing" if line.probes else f"nats, and share of ln {line.classes}"
    whole = {0.0: "0%", 1.0: "100%"}
    return (
        Quantity("Probability", f"of {name}", lambda s: s.probability, lambda s: percent(s.probability), 0, 1, whole),
        Quantity("Rank", f"of {name}; 1 is first of {line.classes}", lambda s: s.rank, lambda s: str(s.rank),
                 classes, 1, {1.0: "1", float(classes): str(line.classes)}, logarithmic=True),
        Quantity("Entropy", certain, lambda s: s.entropy, lambda s: f"{s.entropy:.2f}", 0, most,
                 {0.0: "0", most: f"{most:.2f}"}, lambda s: f" · {s.entropy_share:.0%}"),
        Quantity("Margin", "first answer minus second", lambda s: s.margin, lambda s: percent(s.margin), 0, 1, whole),
    )  # fmt: skip


def timeline_figure(line: Timeline, modules: Sequence[str]) -> Figure:
    """Four plots over the depth, every module of the network: a dot per head with its number, a hollow dot per probe.

    Of each plot the traces are, in this order: the probes (where there are any), the heads' stems, the heads.
    """
    traces: list[Trace] = []
    axes, titles = {}, []
    heads = {step.module for step in line.steps}
    ticks = {float(i): f"<b>{plain(m)}</b>" if m in heads else plain(m) for i, m in enumerate(modules, 1)}
    for index, (quantity, (across, up)) in enumerate(zip(quantities(line), _PLACES, strict=True)):
        at = str(index + 1) if index else ""
        traces += _traces(quantity, line, {"xaxis": f"x{at}", "yaxis": f"y{at}"})
        axes[f"xaxis{at}"] = ends(
            0.4, len(modules) + 0.6, ticks, domain=across, anchor=f"y{at}", fixedrange=False, tickangle=0
        )
        axes[f"yaxis{at}"] = _height_axis(quantity) | {"domain": up, "anchor": f"x{at}"}
        titles.append(
            note(f"<b>{quantity.title}</b><br>{plain(quantity.note)}", x=across[0], y=up[1] + 0.052, xref="paper",
                 yref="paper", xanchor="left", yanchor="bottom", align="left", font={"color": colour("mut")})
        )  # fmt: skip
    return figure(traces, height=HEIGHT, annotations=titles, margin={"l": 4, "r": 4, "t": 4, "b": 4}, **axes)


def _height_axis(quantity: Quantity) -> dict[str, object]:
    low, high = quantity.low, quantity.high
    kind: dict[str, object] = {"type": "linear"}
    if quantity.logarithmic:
        kind, low, high = {"type": "log"}, math.log10(low), math.log10(high)
    return {
        **ends(low, high, quantity.names), **kind, "showgrid": True, "griddash": "dot", "automargin": False,
        "ticklabelposition": "inside top",
    }  # fmt: skip


def _traces(quantity: Quantity, line: Timeline, where: dict[str, str]) -> list[Trace]:
    rings = {step.module: quantity.height(step) for step in line.probes}
    traces = []
    if line.probes:
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": "probes", **where,
            "x": [step.depth for step in line.probes], "y": [quantity.of(step) for step in line.probes],
            "customdata": [[step.module, quantity.words(step)] for step in line.probes],
            "hovertemplate": "probe at %{customdata[0]}: <b>%{customdata[1]}</b><extra></extra>",
            "line": {"color": colour("mut"), "width": 1, "dash": "dash"}, "cliponaxis": False,
            "marker": {"size": 8, "symbol": "circle", "color": colour("bg"),
                       "line": {"width": 1.5, "color": colour("mut")}},
        })  # fmt: skip
    stems: dict[str, list[float | None]] = {"x": [], "y": []}
    for step in line.steps:
        stems["x"] += [step.depth, step.depth, None]
        stems["y"] += [quantity.low, quantity.of(step), None]
    traces.append({
        "type": "scatter", "mode": "lines", "name": "stems", "hoverinfo": "skip", **where, **stems,
        "line": {"color": colour("line"), "width": 1},
    })  # fmt: skip
    say = quantity.value if line.probes else quantity.words
    traces.append({
        "type": "scatter", "mode": "lines+markers+text", "name": "heads", **where,
        "x": [step.depth for step in line.steps], "y": [quantity.of(step) for step in line.steps],
        "text": [f"<b>{say(step)}</b>" for step in line.steps],
        "textposition": [_side(quantity.height(step), rings.get(step.module)) for step in line.steps],
        "textfont": {"size": 13, "color": colour("ink")},
        "customdata": [[step.head, step.module, quantity.words(step)] for step in line.steps],
        "hovertemplate": "%{customdata[0]} after %{customdata[1]}: <b>%{customdata[2]}</b><extra></extra>",
        "line": {"color": colour("mut"), "width": 1.5}, "cliponaxis": False,
        "marker": {"size": 13, "opacity": 1, "color": [colour(step.head) for step in line.steps]},
    })  # fmt: skip
    return traces


def _side(height: float, ring: float | None) -> str:
    """Where a dot's number stands: above it, or below where a probe's ring is in the way and there is room."""
    in_the_way = ring is not None and height + 0.03 < ring < height + _NEAR
    return "bottom center" if in_the_way and height > 0.2 else "top center"


def timeline_words(line: Timeline) -> str:
    """The four plots as sentences, for those who don't see them."""
    return ". ".join(_aloud(quantity, line) for quantity in quantities(line))


def _aloud(quantity: Quantity, line: Timeline) -> str:
    heads = ", ".join(f"{step.head} after {step.module} {quantity.words(step)}" for step in line.steps)
    probes = ", ".join(f"{step.module} {quantity.words(step)}" for step in line.probes)
    return f"{quantity.title} {quantity.note}: {heads}" + (f"; by probe: {probes}" if probes else "")


def divergence_figure(divergences: Sequence[Divergence]) -> Figure:
    """A bar per pair of heads on the scale from 0 to ln 2, half in one head's colour, half in the other's."""
    rows = [f"{pair.first} – {pair.second}" for pair in divergences]
    halves: list[Trace] = [
        {
            "type": "bar", "orientation": "h", "name": name, "y": rows, "x": [pair.nats / 2 for pair in divergences],
            "marker": {"color": [colour(getattr(pair, name)) for pair in divergences], "line": {"width": 0}},
            "width": 0.42, "customdata": [[pair.nats, pair.share] for pair in divergences],
            "hovertemplate": "%{y}: <b>%{customdata[0]:.4f} nats</b>, %{customdata[1]:.1%} of ln 2<extra></extra>",
        }
        for name in ("first", "second")
    ]  # fmt: skip
    says = [
        note(f"{row} &nbsp;<b>{pair.nats:.2f} nats</b> · {pair.share:.0%} of ln 2", x=0, y=index - 0.27, yref="y",
             xref="x", xanchor="left", yanchor="bottom", font={"color": colour("mut")})
        for index, (row, pair) in enumerate(zip(rows, divergences, strict=True))
    ]  # fmt: skip
    return figure(
        halves, height=divergence_height(divergences), barmode="stack", annotations=says,
        xaxis=ends(0, MOST_DIVERGENT, {0.0: "0", MOST_DIVERGENT: "ln 2 = 0.69"}, showgrid=True, griddash="dot"),
        yaxis={"range": [len(rows) - 0.6, -0.85], "showticklabels": False, "fixedrange": True},
        margin={"l": 4, "r": 40, "t": 2, "b": 20},
    )  # fmt: skip


def divergence_height(divergences: Sequence[Divergence]) -> int:
    """How many pixels high `divergence_figure` draws these pairs."""
    return 46 * len(divergences) + 28


def divergence_words(divergences: Sequence[Divergence]) -> str:
    """Every pair with its numbers, for those who don't see the bars."""
    return "; ".join(
        f"{pair.first} and {pair.second}: {pair.nats:.2f} nats, {pair.share:.0%} of ln 2" for pair in divergences
    )
