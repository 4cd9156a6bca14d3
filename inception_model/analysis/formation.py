"""How one photo's answer forms along the depth of the network, in two words: what it was taken for, and what it is.

The trained heads speak first. Where they agree all along, the probes may know an earlier opinion: they read every
module, but were trained afterwards and are no part of the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .timeline import Reading, Timeline


@dataclass(frozen=True)
class Formation:
    """`earlier`: the first reading with another answer, None where there is none; `settled`: the first one from which
    on every reading of its kind gives the final answer. `by_probes`: both are probes' readings, no head's."""

    earlier: Reading | None
    settled: Reading
    by_probes: bool


def formation(line: Timeline) -> Formation:
    """The formation of the deepest trained head's answer."""
    final = line.steps[-1].answer.index
    heads, probes = line.steps, line.probes
    if not line.agree:
        earlier = next(step for step in heads if step.answer.index != final)
        return Formation(earlier, _settled(heads, final) or heads[-1], False)
    end = _settled(probes, final)
    others = [step for step in probes if step.answer.index != final and end is not None and step.depth < end.depth]
    if end is None or not others:
        return Formation(None, end or heads[0], end is not None)
    # Of several opinions the one that was held longest, and of these the first.
    held = Counter(step.answer.index for step in others)
    index = max(held, key=lambda index: held[index])
    return Formation(next(step for step in others if step.answer.index == index), end, True)


def _settled(readings: Sequence[Reading], index: int) -> Reading | None:
    """The first reading from which on all give that answer; None where the last one doesn't, or there is none."""
    found = None
    for reading in reversed(readings):
        if reading.answer.index != index:
            break
        found = reading
    return found
