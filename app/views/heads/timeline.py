"""The heads' time line as HTML: four small charts over the depth of the network, the divergences, and words."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.static import style
from inception_model.analysis.timeline import Divergence, Reading, Step, Timeline
from inception_model.drawing.numbers import percent, short

STYLE = f"<style>\n{style('timeline')}</style>"

_LEFT, _RIGHT, _TOP, _BOTTOM = 36.0, 258.0, 32.0, 142.0


@dataclass(frozen=True)
class Chart:
    """One quantity of a reading: how high it lies between bottom (0) and top (1), and what is written at it.

    `low` and `high`: what bottom and top mean. `more`: written too where there is room.
    """

    title: str
    note: str
    height: Callable[[Reading], float]
    value: Callable[[Reading], str]
    low: str
    high: str
    more: Callable[[Reading], str] = lambda _: ""

    def words(self, reading: Reading) -> str:
        """All that is written of a reading."""
        return self.value(reading) + self.more(reading)


def charts(line: Timeline) -> tuple[Chart, ...]:
    """Probability and rank of the class, entropy and margin of the answers."""
    most, name = math.log(max(line.classes, 2)), short(line.label)
    certain = f"nats; ln {line.classes} knows nothing" if line.probes else f"nats, and share of ln {line.classes}"
    return (
        Chart(f"Probability of {name}", "", lambda s: s.probability, lambda s: percent(s.probability), "0%", "100%"),
        Chart(f"Rank of {name}", f"1 is first of {line.classes}",
              lambda s: 1 - math.log(s.rank) / most, lambda s: str(s.rank), str(line.classes), "1"),
        Chart("Entropy", certain, lambda s: s.entropy_share,
              lambda s: f"{s.entropy:.2f}", "0", f"{most:.2f}", lambda s: f" · {s.entropy_share:.0%}"),
        Chart("Margin", "first answer minus second", lambda s: s.margin, lambda s: percent(s.margin), "0%", "100%"),
    )  # fmt: skip


def charts_html(line: Timeline, modules: Sequence[str]) -> str:
    """The four charts; the horizontal axis is the depth: every module of the network. Probes are hollow dots."""
    drawn = "".join(_chart_html(chart, line, modules) for chart in charts(line))
    return f'{STYLE}<div class="line-charts">{drawn}</div>'


def _chart_html(chart: Chart, line: Timeline, modules: Sequence[str]) -> str:
    across = (_RIGHT - _LEFT) / max(1, len(modules) - 1)

    def place(reading: Reading) -> tuple[float, float]:
        return _LEFT + (reading.depth - 1) * across, _BOTTOM - chart.height(reading) * (_BOTTOM - _TOP)

    dots = {step.module: place(step) for step in line.steps}
    rings = {step.module: place(step) for step in line.probes}
    marks = "".join(_dot(chart, step, dots[step.module], rings.get(step.module)) for step in line.steps)
    hollow = "".join(
        f'<circle class="probe" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>probe at {step.module}: '
        f"{html.escape(chart.words(step))}</title></circle>"
        for step, (x, y) in zip(line.probes, rings.values(), strict=True)
    )
    ticks = "".join(
        f'<text class="{"here" if name in dots else ""}" x="{_LEFT + i * across:.1f}" y="162">{name}</text>'
        for i, name in enumerate(modules)
    )
    return (
        f'<figure class="line-chart"><h3>{html.escape(chart.title)} <small>{html.escape(chart.note)}</small></h3>'
        f'<svg viewBox="0 0 286 168" role="img" aria-label="{html.escape(_aloud(chart, line))}">'
        f'<path class="axis" d="M8 {_BOTTOM}H{_RIGHT + 12}M8 {_TOP}H{_RIGHT + 12}" stroke-dasharray="2 3"/>'
        f'<text class="end" x="8" y="{_BOTTOM - 4}">{chart.low}</text>'
        f'<text class="end" x="8" y="{_TOP - 4}">{chart.high}</text>'
        f"{_way('probed', rings.values())}{hollow}{_way('way', dots.values())}{marks}{ticks}</svg></figure>"
    )


def _aloud(chart: Chart, line: Timeline) -> str:
    """A chart as a sentence, for those who don't see it."""
    heads = ", ".join(f"{step.head} after {step.module} {chart.words(step)}" for step in line.steps)
    probes = ", ".join(f"{step.module} {chart.words(step)}" for step in line.probes)
    return f"{chart.title}: {heads}" + (f"; by probe: {probes}" if probes else "")


def _dot(chart: Chart, step: Step, at: tuple[float, float], ring: tuple[float, float] | None) -> str:
    """A head's dot with its number; where there are probes there is room for the short one only."""
    (x, y), text = at, chart.words(step) if ring is None else chart.value(step)
    return (
        f'<path class="axis" d="M{x:.1f} {y:.1f}V{_BOTTOM}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="6" '
        f'fill="var(--{step.head})"/><text class="value" x="{min(x, 286 - 3.6 * len(text)):.1f}" '
        f'y="{_text_height(y, ring and ring[1]):.1f}">{html.escape(text)}</text>'
    )


def _text_height(dot: float, ring: float | None) -> float:
    """Where a dot's number stands: above it, or below or higher up where a probe's ring is in the way."""
    if ring is None or not dot - 26 < ring < dot - 4:
        return dot - 11
    return dot + 20 if dot + 20 < _BOTTOM - 2 else ring - 8


def _way(style: str, points: Iterable[tuple[float, float]]) -> str:
    """A line through the points, if there are any."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{style}" d="M{path}"/>' if path else ""


def divergence_html(divergences: Sequence[Divergence]) -> str:
    """A bar per pair of heads, as long as its share of ln 2."""
    rows = "".join(
        f'<div role="img" aria-label="{d.first} and {d.second}: {d.nats:.2f} nats"><span>{d.first} – {d.second}</span>'
        f'<i><u style="--w:{d.share:.1%};--a:var(--{d.first});--b:var(--{d.second})"></u></i>'
        f"<span>{d.nats:.2f} nats · {d.share:.0%} of ln 2</span></div>"
        for d in divergences
    )
    return f'{STYLE}<div class="apart">{rows}</div>'


def followed_html(line: Timeline) -> dict[str, str]:
    """Head -> where the followed class stands in it, where its card does not list it."""
    return {
        step.head: f'<div class="scope-bar" style="--p:{step.probability:.2%}"><div>rank {step.rank}: '
        f"{html.escape(short(line.label))}</div><span>{percent(step.probability)}</span></div>"
        for step in line.steps
        if all(answer.index != line.index for answer in step.top)
    }


def in_words(line: Timeline) -> str:
    """Where the heads agree or change their mind, where the class stands, and how sure they are; as HTML."""
    sentences = [_story(line)]
    if len(line.steps) > 1:
        if not (line.agree and line.settled):
            sentences.append(_place(line))
        sentences.append(_certainty(line))
    sentences += [
        f"{head} (after {module}) was never trained in this checkpoint: it has no say"
        for head, module in line.untrained
    ]
    return " ".join(f"{sentence}." for sentence in sentences)


def _story(line: Timeline) -> str:
    first, *others = line.steps
    if not others:
        return f"{first.head} says {_says(first)}; no other head was trained, so there is no change to follow"
    if line.agree:
        count = "Both" if len(others) == 1 else "All three"
        path = ", ".join(f"{percent(step.answer.probability)} after {step.module}" for step in line.steps)
        return f"{count} heads say <b>{html.escape(short(first.answer.label))}</b>: {path}"
    story = f"{first.head} says {_says(first)}"
    for before, step in zip(line.steps, others, strict=False):
        kept = step.answer.index == before.answer.index
        told = f"keeps it ({percent(step.answer.probability)})" if kept else f"changes to {_says(step)}"
        story += f", {step.head} {told}"
    return story


def _says(step: Step) -> str:
    return f"<b>{html.escape(short(step.answer.label))}</b> ({percent(step.answer.probability)} after {step.module})"


def _place(line: Timeline) -> str:
    name = f"<b>{html.escape(short(line.label))}</b>"
    if line.settled is not None and line.settled is not line.steps[-1]:
        return f"{name} is first from {line.settled.module} on"
    places = " → ".join(str(step.rank) for step in line.steps)
    return f"{name} is in place {places} of {line.classes}"


def _certainty(line: Timeline) -> str:
    nats = [step.entropy for step in line.steps]
    path = " → ".join(f"{value:.2f}" for value in nats)
    if nats == sorted(nats, reverse=True):
        return f"Each head is surer than the one before: entropy {path} nats"
    surest = min(line.steps, key=lambda step: step.entropy)
    return f"{surest.head} is the surest: entropy {path} nats"
