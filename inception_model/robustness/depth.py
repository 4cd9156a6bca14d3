"""A disturbed photo followed through the network beside the clean one: how far apart they are after every module, and
at which module the answer turns.

What can be read off at a depth is told by the linear probes, where the checkpoint has some, and by the trained heads.
A change that is too small to be seen grows on its way (Liao et al. 2018, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..analysis.probes import Probes, probe_logits
from ..architecture.address import head_modules
from ..architecture.spec import HeadName
from ..inference.classifier import Answer, Classifier
from ..inference.trace import Trace, capture


@dataclass(frozen=True)
class Pair:
    """A number of the clean photo and of the disturbed one."""

    clean: float
    disturbed: float


@dataclass(frozen=True)
class Reading:
    """What a probe (`head` None) or a head says after a module of both photos.

    `before` and `after`: probabilities of the two followed classes; `lead`: the first one's logit minus the second's.
    """

    module: str
    depth: int
    head: HeadName | None
    clean: Answer
    disturbed: Answer
    before: Pair
    after: Pair
    lead: Pair

    @property
    def turned(self) -> bool:
        """Whether the first class leads on the clean photo and the second one on the disturbed."""
        return self.lead.clean > 0 > self.lead.disturbed

    @property
    def name(self) -> str:
        """`probe`, or the head's name."""
        return self.head or "probe"


@dataclass(frozen=True)
class Depth:
    """Two photos through one network. `before`: the answer that `head` gives to the clean one; `after`: its answer to
    the other, and where that is the same, the class that comes nearest there.

    `apart`: module -> |difference of its output| / |its output on the clean photo|. `readings`: in the order of depth,
    a probe in front of the head that hangs on the same module.
    """

    head: HeadName
    before: int
    after: int
    apart: dict[str, float]
    readings: tuple[Reading, ...]

    @property
    def probed(self) -> tuple[Reading, ...]:
        """The probes' readings."""
        return tuple(reading for reading in self.readings if reading.head is None)

    @property
    def heads(self) -> tuple[Reading, ...]:
        """The heads' readings."""
        return tuple(reading for reading in self.readings if reading.head is not None)

    @property
    def turn(self) -> Reading | None:
        """The first reading that has turned and behind which, up to the head, the second class leads on the disturbed
        photo; None where it doesn't at the head. What prefers that class on the clean photo as well has not turned."""
        found, place = None, next(place for place, each in enumerate(self.readings) if each.head == self.head)
        for reading in reversed(self.readings[: place + 1]):
            if reading.lead.disturbed >= 0:
                break
            found = reading if reading.turned else found
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what was followed, where it turns, and every module and reading."""
        return {
            "head": self.head,
            "before": self.before,
            "after": self.after,
            "turn": None if self.turn is None else {"module": self.turn.module, "reading": self.turn.name},
            "apart": dict(self.apart),
            "readings": [
                {
                    "module": each.module,
                    "reading": each.name,
                    "clean": each.clean.label,
                    "disturbed": each.disturbed.label,
                    "before": [each.before.clean, each.before.disturbed],
                    "after": [each.after.clean, each.after.disturbed],
                    "lead": [each.lead.clean, each.lead.disturbed],
                    "turned": each.turned,
                }
                for each in self.readings
            ],
        }


def followed(
    classifier: Classifier, clean: Tensor, disturbed: Tensor, head: HeadName, probes: Probes | None = None
) -> Depth:
    """Pixels (1, 3, S, S) from 0 to 1 of the clean and of the disturbed photo, each in one pass through the network."""
    normalise = classifier.preprocessing.normalise
    traces = tuple(capture(classifier, normalise(pixels)) for pixels in (clean, disturbed))
    before = int(traces[0].logits(head)[0].argmax())
    after = next(index for index in traces[1].logits(head)[0].topk(2).indices.tolist() if index != before)
    spec, rows = classifier.checkpoint.spec, list[Reading]()
    probed = tuple({} if probes is None else probe_logits(probes, trace) for trace in traces)
    heads = {module: name for name, module in head_modules(spec).items() if name in classifier.trained_heads}
    for depth, module in enumerate(spec.module_names, 1):
        found: list[tuple[HeadName | None, tuple[Tensor, ...]]] = []
        if module in probed[0]:
            found.append((None, tuple(logits[module][0] for logits in probed)))
        if (name := heads.get(module)) is not None:
            found.append((name, tuple(trace.logits(name)[0] for trace in traces)))
        rows += [_reading(classifier, module, depth, name, logits, before, after) for name, logits in found]
    return Depth(head, before, after, _apart(*traces), tuple(rows))


def _apart(clean: Trace, disturbed: Trace) -> dict[str, float]:
    sizes = {name: float(block.output.norm()) or 1.0 for name, block in clean.blocks.items()}
    return {
        name: float((disturbed.block(name).output - block.output).norm()) / sizes[name]
        for name, block in clean.blocks.items()
    }


def _reading(
    classifier: Classifier,
    module: str,
    depth: int,
    head: HeadName | None,
    logits: tuple[Tensor, ...],
    before: int,
    after: int,
) -> Reading:
    chances = [classifier.probabilities(row, head) for row in logits]
    tops = [classifier.top(row, head, 1)[0] for row in logits]
    return Reading(
        module=module,
        depth=depth,
        head=head,
        clean=tops[0],
        disturbed=tops[1],
        before=Pair(*(float(row[before]) for row in chances)),
        after=Pair(*(float(row[after]) for row in chances)),
        lead=Pair(*(float(row[before] - row[after]) for row in logits)),
    )
