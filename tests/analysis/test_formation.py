"""How an answer forms: the heads' own opinions first, then the probes', and none that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from inception_model.analysis.formation import formation
from inception_model.analysis.timeline import ProbeStep, Step, Timeline
from inception_model.drawing.numbers import with_article
from inception_model.inference.classifier import Answer
from inception_model.training.evaluation import HeadAccuracy

MODULES = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")


def reading(module: str, index: int) -> dict[str, Any]:
    answer = Answer(index, f"n{index}", f"class {index}", 0.5, 1.0)
    return {
        "module": module, "depth": MODULES.index(module) + 1, "top": (answer,), "entropy": 1.0, "entropy_share": 0.5,
        "margin": 0.1, "probability": 0.5, "rank": 1,
    }  # fmt: skip


def line(heads: str, probes: str = "") -> Timeline:
    """A digit for each head's answer, from aux1 on, and one for each module's probe; the last head's is followed."""
    places = (("aux1", "4a"), ("aux2", "4d"), ("main", "5b"))[-len(heads) :]
    steps = tuple(
        Step(**reading(module, int(index)), head=head)  # type: ignore[arg-type]
        for (head, module), index in zip(places, heads, strict=True)
    )
    read = zip(MODULES, probes, strict=bool(probes))
    accuracy = HeadAccuracy(0.5, 0.8)
    found = tuple(ProbeStep(**reading(module, int(index)), accuracy=accuracy) for module, index in read)
    return Timeline(int(heads[-1]), "", 9, steps, (), (), found)


@pytest.mark.parametrize(
    ("heads", "probes", "told"),
    [
        ("113", "555555555", ("4a", 1, "5b", False)),  # the heads' own opinion, whatever probes read
        ("133", "", ("4a", 1, "4d", False)),
        ("131", "", ("4d", 3, "5b", False)),
        ("333", "112213333", ("3a", 1, "4d", True)),  # of two opinions the longer one
        ("333", "333333333", (None, None, "3a", True)),
        ("333", "333333331", (None, None, "4a", False)),  # the last probe disagrees: nothing is known of the way
        ("3", "", (None, None, "5b", False)),
    ],
)
def test_what_it_was_taken_for_and_since_when_it_is_what_it_is(
    heads: str, probes: str, told: tuple[str | None, int | None, str, bool]
) -> None:
    found = formation(line(heads, probes))
    earlier = (None, None) if found.earlier is None else (found.earlier.module, found.earlier.answer.index)
    assert (*earlier, found.settled.module, found.by_probes) == told


def test_names_take_their_article() -> None:
    names = ("tabby", "Egyptian cat", "espresso", "sunglasses", "octopus", "abacus", "water glass")
    assert [with_article(name).removesuffix(name) for name in names] == ["a ", "an ", "an ", "", "an ", "an ", "a "]
