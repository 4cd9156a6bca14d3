"""A tuning curve as a drawing: how a channel answers as one parameter of a stimulus changes."""

from __future__ import annotations

import html
import math
from collections.abc import Callable

from app.static import style
from inception_model.analysis.selectivity import TuningCurve
from inception_model.drawing.numbers import number
from inception_model.images.stimuli import FAMILIES

_WIDTH, _LEFT, _RIGHT, _TOP, _BASE = 400, 44, 390, 22, 140

STYLE = f"<style>\n{style('tuning')}</style>"


def place(curve: TuningCurve, value: float) -> float:
    """Where a value of the parameter lies along the axis, from 0 to 1; in octaves where those are the steps."""
    known = FAMILIES[curve.family].RANGES[curve.parameter]
    low, high = (math.log2(known.low), math.log2(known.high)) if known.octaves else (known.low, known.high)
    return ((math.log2(value) if known.octaves else value) - low) / (high - low)


def curve_svg(curve: TuningCurve, value: float, answer: float, colour: str = "currentColor") -> str:
    """The curve in a CSS colour, its values as dots, grey as a dashed line, and the picked value with its answer."""
    top = max(*curve.responses, curve.grey, answer) or 1.0

    def x(at: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * place(curve, at)

    def y(response: float) -> float:
        return _BASE - (_BASE - _TOP) * response / top

    points = [(x(at), y(response)) for at, response in zip(curve.values, curve.responses, strict=True)]
    line = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
    return (
        f'<svg viewBox="0 0 {_WIDTH} 180" role="img" aria-label="{html.escape(in_words(curve, value, answer))}" '
        f'style="--c:{colour}">{_axes(curve, top, x)}'
        f'<path class="rule" stroke-dasharray="2 4" d="M{_LEFT} {y(curve.grey):.1f}H{_RIGHT}"/>'
        f'<path class="curve" d="{line}"/>{dots}{_mark(x(value), y(answer), value, answer)}</svg>'
    )


def _axes(curve: TuningCurve, top: float, x: Callable[[float], float]) -> str:
    known = FAMILIES[curve.family].RANGES[curve.parameter]
    steps = curve.values[:: max(1, len(curve.values) // 5)]
    ticks = "".join(
        f'<text x="{x(value):.1f}" y="{_BASE + 15}" text-anchor="middle">{number(value)}</text>' for value in steps
    )
    return (
        f'<path class="rule" d="M{_LEFT} {_TOP}V{_BASE}H{_RIGHT}"/>{ticks}'
        f'<text x="{_LEFT - 6}" y="{_BASE + 4}" text-anchor="end">0</text>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{number(top)}</text>'
        f'<text class="quiet" x="{(_LEFT + _RIGHT) / 2}" y="{_BASE + 34}" text-anchor="middle">{curve.parameter}, '
        f"{known.unit}</text>"
    )


def _mark(x: float, y: float, value: float, answer: float) -> str:
    """The picked value: a line down to the axis, a ring at its answer, and both in numbers."""
    side, shift = ("end", -9) if x > (_LEFT + _RIGHT) / 2 else ("start", 9)
    return (
        f'<path class="now" stroke-dasharray="3 3" d="M{x:.1f} {_BASE}V{y:.1f}"/>'
        f'<circle class="now" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text x="{x + shift:.1f}" y="{max(y - 9, 13):.1f}" text-anchor="{side}">{value:g}: {number(answer)}</text>'
    )


def in_words(curve: TuningCurve, value: float, answer: float) -> str:
    """What the curve says, with its numbers."""
    strongest, weakest = max(curve.responses), min(curve.responses)
    if strongest <= 0:
        return f"Silent at all {len(curve.values)} values of {curve.parameter}."
    return (
        f"Along {curve.parameter} its mean answer lies between {number(weakest)} and {number(strongest)}, strongest at "
        f"{number(curve.best)} {curve.unit}; at the picked {value:g} it is {number(answer)}, to an even grey "
        f"{number(curve.grey)}."
    )
