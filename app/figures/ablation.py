"""Ablation as HTML: three heads before and after, and the sweep over every branch as one chart per head."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from app.static import style
from inception_model.analysis.ablation import AblationResult, RankChange, Sweep
from inception_model.architecture.address import modules_seen
from inception_model.architecture.spec import BRANCHES, HeadName, NetworkSpec
from inception_model.drawing.numbers import percent, short, signed
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.inference.targets import Target

STYLE = f"<style>\n{style('ablation')}</style>"

_HEADINGS = '<div class="abl-row top"><span></span><span>probability</span><span>Δ logit</span><span>rank</span></div>'
Labels = Callable[[int], str]
"""From a class's index to its words."""


def result_html(result: AblationResult, trained: Sequence[HeadName], labels: Labels, count: int = 5) -> str:
    """A card per head: its best classes before or after, probability, change of logit and rank of each."""
    cards = []
    for head in result.before.present:
        moved = float(result.delta(head)[0].abs().max())
        note = "" if moved else " does not see this: 0"
        if head not in trained:
            inside = '<p class="abl-untrained">Never trained in this checkpoint, so it has no prediction to show.</p>'
        else:
            inside = _HEADINGS + "".join(_row(change, labels(change.index)) for change in result.top(head, count))
        cards.append(_card(head, note, inside))
    return f'{STYLE}<div class="abl">{"".join(cards)}</div>'


def _card(head: str, note: str, inside: str) -> str:
    return (
        f'<section class="abl-head" style="--c:var(--{head})" aria-label="{head}">'
        f"<h3>{head}<small>{html.escape(note)}</small></h3>{inside}</section>"
    )


def _row(change: RankChange, label: str) -> str:
    (was, now), (old, new) = change.probability, change.rank
    rank = f"{new}" if old == new else f"{old} → {new}"
    return (
        f'<div class="abl-row"><div class="abl-name" style="--p:{now:.2%};--b:{was:.2%}" title="{html.escape(label)}">'
        f"{html.escape(short(label))}<u></u></div><span>{percent(was)} → {percent(now)}</span>"
        f"<span>{signed(change.delta)}</span><span>{rank}</span></div>"
    )


def sweep_html(sweep: Sweep, spec: NetworkSpec, trained: Sequence[HeadName], target: Target, image: int = 0) -> str:
    """A card per trained head: the change of the target's score when one branch is off, on one scale for all."""
    changes = {head: sweep.score_changes(head, target, image) for head in trained}
    every = [value for rows in changes.values() for row in rows for value in row]
    low, high = min(0.0, *every), max(0.0, *every)
    cards = "".join(
        _card(head, f" from {signed(min(map(min, rows)))} to {signed(max(map(max, rows)))} logits",
              _lanes(sweep.modules, rows, modules_seen(spec, head), low, high))
        for head, rows in changes.items()
    )  # fmt: skip
    return f'{STYLE}<div class="abl">{cards}</div>'


def sweep_in_words(sweep: Sweep, target: Target, head: HeadName = "main") -> str:
    """One plain sentence: the branch that the score needs most, and the one that holds it back."""
    flat = [
        (value, name, kind)
        for name, row in zip(sweep.modules, sweep.score_changes(head, target), strict=True)
        for kind, value in zip(BRANCHES, row, strict=True)
    ]
    need, spare = min(flat), max(flat)
    return (
        f"{head} needs {need[1]} {BRANCH_NAMES[need[2]]} most: without it the score of {target.name} changes by "
        f"{signed(need[0])} logits. Without {spare[1]} {BRANCH_NAMES[spare[2]]} it changes by {signed(spare[0])}."
    )


def _lanes(modules: Sequence[str], rows: list[list[float]], seen: Sequence[str], low: float, high: float) -> str:
    span = (high - low) or 1.0
    lines = []
    for name, row in zip(modules, rows, strict=True):
        if name not in seen:
            lines.append(f'<b>{name}</b><div class="sweep-none">lies behind this head</div>')
            continue
        bars = "".join(
            f'<i style="--c:var(--b{kind});--x:{(min(value, 0) - low) / span:.2%};--w:{abs(value) / span:.2%}" '
            f'title="{name} {BRANCH_NAMES[kind]} off: {signed(value, 3)} logits"></i>'
            for kind, value in zip(BRANCHES, row, strict=True)
        )
        label = f"{name}: " + ", ".join(f"{kind} {signed(v)}" for kind, v in zip(BRANCHES, row, strict=True))
        lines.append(
            f'<b>{name}</b><div class="sweep-lanes" role="img" aria-label="{html.escape(label)}" '
            f'style="--zero:{-low / span:.2%}"><u></u>{bars}</div>'
        )
    return f'<div class="sweep">{"".join(lines)}</div>'
