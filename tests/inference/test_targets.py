"""What a target can be called, and how the errors help."""

from __future__ import annotations

import pytest
import torch

from inception_model.architecture.labels import Label
from inception_model.inference.targets import Target, TargetError

WORDS = [
    "goldfish, Carassius auratus",
    "black-and-tan coonhound",
    "crane",
    "crane",
    "tabby, tabby cat",
    "tiger cat",
    "dog",
]
LABELS = tuple(Label(index, f"n0000000{index}", words) for index, words in enumerate(WORDS))
LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0, 9.0, 4.0, 5.0]])


@pytest.mark.parametrize(
    ("text", "index", "minus"),
    [
        ("auto", 4, None),
        (" 5 ", 5, None),
        ("n00000003", 3, None),
        ("N00000003", 3, None),
        ("goldfish", 0, None),
        ("Carassius  AURATUS", 0, None),
        ("tabby, tabby cat", 4, None),
        ("coonhound", 1, None),
        ("black-and-tan coonhound", 1, None),
        ("4-5", 4, 5),
        ("auto - n00000000", 4, 0),
        ("tiger cat-black-and-tan coonhound", 5, 1),
        ("black-and-tan coonhound-tiger cat", 1, 5),
    ],
)
def test_every_way_to_write_a_target(text: str, index: int, minus: int | None) -> None:
    target = Target.parse(text, LABELS, LOGITS)
    assert (target.index, target.minus) == (index, minus)
    assert target.name == WORDS[index] + ("" if minus is None else f" − {WORDS[minus]}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7", "class 7 is not there; allowed: 0 to 6"),
        ("-1", "no class '-1'"),
        ("crane", "could be 2 (crane), 3 (crane): give the index or the WordNet id"),
        ("cat", "could be 4 (tabby, tabby cat), 5 (tiger cat)"),
        ("goldfsh", "did you mean 0 (goldfish, Carassius auratus)?"),
        ("", "no class ''"),
        ("4-unicorn", "no class 'unicorn'"),
        ("unicorn-4", "no class 'unicorn'"),
        ("4-9", "class 9 is not there"),
        ("dog-6", "both sides of the contrast 'dog-6' are class 6"),
    ],
)
def test_what_names_no_class_is_explained(text: str, said: str) -> None:
    with pytest.raises(TargetError) as error:
        Target.parse(text, LABELS, LOGITS)
    assert said in str(error.value)


def test_without_labels_indices_still_work() -> None:
    assert Target.parse("auto-2", (), LOGITS).name == "class 4 − class 2"
    with pytest.raises(TargetError, match="a target is auto, an index"):
        Target.parse("dog", (), LOGITS)


def test_the_score_is_a_logit_or_a_difference() -> None:
    logits = torch.arange(12.0).reshape(3, 4) ** 2
    assert torch.equal(Target(2).score(logits), logits[:, 2])
    assert torch.equal(Target(2, 0).score(logits), logits[:, 2] - logits[:, 0])
