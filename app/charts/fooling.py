"""What turns an answer: its probability over a disturbance's strength, and its lead over the depth of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, figure, note, plain, rule
from inception_model.drawing.numbers import percent, short, signed
from inception_model.robustness.depth import Depth, Reading
from inception_model.robustness.strengths import Flip, Strengths

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 104
DEPTH_HEIGHT = 330
EDGES = (36, 12)
"""Pixels left and right of a chart of strengths: its first and last strength stand where the slider's do (fool.css)."""

Label = Callable[[int], str]
"""The words of a class."""


def strengths_figure(found: Strengths, label: Label) -> Figure:
    """A line per head in its colour: the probability of its answer to the photo as it is, at the places of the
    strengths on their scale; a cross where it is first another one. A rule where the photo is as it is."""
    scale, words, start = found.kind.strengths, found.kind.words, found.kind.start
    traces: list[Trace] = []
    for head in found.answers:
        values = found.followed(head)
        says = [
            f"{words(strength)}: <b>{plain(short(label(index)))}</b>, {plain(short(label(found.clean(head))))} "
            f"{percent(value)}"
            for strength, index, value in zip(scale, found.answers[head], values, strict=True)
        ]
        traces.append({
            "type": "scatter", "mode": "lines", "name": head, "x": list(range(len(scale))), "y": list(values),
            "line": {"color": colour(head), "width": 2.5 if head == "main" else 1.5}, "cliponaxis": False,
            "customdata": says, "hovertemplate": f"{head} at %{{customdata}}<extra></extra>",
        })  # fmt: skip
    for head in found.answers:
        places = [scale.index(flip.strength) for flip in found.flips(head)]
        traces.append({
            "type": "scatter", "mode": "markers", "name": f"{head} flips", "x": places, "cliponaxis": False,
            "y": [found.followed(head)[place] for place in places],
            "marker": {"symbol": "x", "size": 10, "color": colour(head), "line": {"width": 1, "color": colour("bg")}},
            "hoverinfo": "skip",
        })  # fmt: skip
    top = 1.12 * max(max(found.followed(head)) for head in found.answers)
    last, (left, right) = len(scale) - 1, EDGES
    ends = [
        note(
            words(scale[place]),
            x=place,
            y=0,
            yref="paper",
            xanchor=anchor,
            yanchor="top",
            font={"color": colour("mut")},
        )
        for place, anchor in ((0, "left"), (start, "center"), (last, "right"))
        if anchor != "center" or start not in (0, last)
    ]
    return figure(
        traces, height=HEIGHT, margin={"l": left, "r": right, "t": 4, "b": 20}, annotations=ends,
        shapes=[rule(start, 0, start, 1, yref="paper")],
        xaxis={"range": [0, last], "showticklabels": False, "fixedrange": True},
        yaxis={"range": [0, top], "tickformat": ".0%", "nticks": 3, "showgrid": True, "griddash": "dot",
               "fixedrange": True},
    )  # fmt: skip


def strengths_words(found: Strengths, label: Label) -> str:
    """Every head's answer, and where it is first another one."""
    return f"{found.kind.label}, probability of the first answer. " + "; ".join(
        f"{head} {short(label(found.clean(head)))} {percent(found.followed(head)[found.kind.start])}, "
        + (", ".join(flip_words(found, flip, label) for flip in found.flips(head)) or "at every strength")
        for head in found.answers
    )


def flip_words(found: Strengths, flip: Flip, label: Label) -> str:
    """`golden retriever at 0.5 px`."""
    return f"{short(label(flip.index))} at {found.kind.words(flip.strength)}"


def depth_figure(depth: Depth, modules: Sequence[str], label: Label) -> Figure:
    """The lead of the first answer over the second in logits, over the modules: of the photo a solid line, of the
    changed one a dashed one, through the probes, or through the heads where there are none. Heads are dots in their
    colours, joined by a stem. Above the zero line the first answer leads, below it the second."""
    line = depth.probed or depth.heads
    traces: list[Trace] = [
        _line(line, "photo", lambda each: each.lead.clean, "solid", label),
        _line(line, "changed", lambda each: each.lead.disturbed, "dash", label),
    ]
    for each in depth.heads:
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": each.name, "x": [each.depth] * 2,
            "y": [each.lead.clean, each.lead.disturbed], "cliponaxis": False,
            "line": {"color": colour(each.name), "width": 1.5, "dash": "dot"},
            "marker": {"size": 12, "opacity": 1, "color": [colour(each.name), colour("bg")],
                       "line": {"width": 2, "color": colour(each.name)}},
            "customdata": [_says(each, "photo", label), _says(each, "changed", label)],
            "hovertemplate": "%{customdata}<extra></extra>",
        })  # fmt: skip
    leads = [0.0, *(value for each in depth.readings for value in (each.lead.clean, each.lead.disturbed))]
    room = 0.12 * (max(leads) - min(leads))
    turn, first, second = depth.turn, plain(short(label(depth.before))), plain(short(label(depth.after)))
    shapes, notes = [rule(0.5, 0, len(modules) + 0.5, 0, dash="solid", name="mut")], []
    for y, name, anchor in ((0, f"▲ {first} leads", "bottom"), (0, f"▼ {second} leads", "top")):
        notes.append(
            note(name, x=0.5, y=y, xanchor="left", yanchor=anchor, font={"color": colour("mut")},
                 bgcolor=colour("bg"), borderpad=1)
        )  # fmt: skip
    if turn is not None:
        shapes.append(rule(turn.depth, 0, turn.depth, 1, yref="paper", name="ink"))
        notes.append(note(f"<b>turns at {plain(turn.module)}</b>", x=turn.depth, y=1, yref="paper", yanchor="bottom"))
    return figure(
        traces, height=DEPTH_HEIGHT, shapes=shapes, annotations=notes, margin={"l": 36, "r": 14, "t": 26, "b": 26},
        xaxis={"range": [0.5, len(modules) + 0.5], "tickvals": list(range(1, len(modules) + 1)),
               "ticktext": [plain(name) for name in modules]},
        yaxis={"range": [min(leads) - room, max(leads) + room], "nticks": 6, "showgrid": True, "griddash": "dot"},
    )  # fmt: skip


def _line(readings: Sequence[Reading], name: str, value: Callable[[Reading], float], dash: str, label: Label) -> Trace:
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "cliponaxis": False,
        "x": [each.depth for each in readings], "y": [value(each) for each in readings],
        "line": {"color": colour("mut"), "width": 1.5, "dash": dash},
        "marker": {"size": 7, "color": colour("bg"), "line": {"width": 1.5, "color": colour("mut")}},
        "customdata": [_says(each, name, label) for each in readings],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


def _says(each: Reading, which: str, label: Label) -> str:
    answer, lead = (each.clean, each.lead.clean) if which == "photo" else (each.disturbed, each.lead.disturbed)
    what = "the photo" if which == "photo" else "the changed photo"
    says = plain(short(label(answer.index)))
    return f"{each.name} after {plain(each.module)}, {what}: <b>{says}</b>, lead {signed(lead)}"


def depth_words(depth: Depth, label: Label) -> str:
    """Every reading in numbers."""
    return (
        f"Lead of {short(label(depth.before))} over {short(label(depth.after))} in logits, of the photo and of the "
        "changed photo: "
        + "; ".join(
            f"{each.name} after {each.module} {signed(each.lead.clean)} and {signed(each.lead.disturbed)}"
            for each in depth.readings
        )
    )
