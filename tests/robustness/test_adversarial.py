"""The attack beside captum's, and the smallest change of a linear classifier beside its closed form."""

from __future__ import annotations

import threading
from typing import Literal

import pytest
import torch
from captum.robust import FGSM, PGD
from torch import Tensor

from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.robustness.adversarial import PRECISION, change_within, smallest_change
from inception_model.robustness.pgd import (
    NORMS,
    REACH,
    Goal,
    Logits,
    Norm,
    attack,
    bounded,
    logits_of,
    margin_gradient,
    size_of,
    stepped,
)
from tests.compare import assert_close

SIDE = 6
GENERATOR = torch.Generator().manual_seed(2)
GREY = torch.full((1, 3, SIDE, SIDE), 0.5, dtype=torch.float64)


def linear(classes: int) -> tuple[Tensor, Logits]:
    """Weights (K, 3 * SIDE * SIDE) and a classifier that says class 0 to grey by 0.6 logits over every other one."""
    weights = torch.randn(classes, GREY.numel(), generator=GENERATOR, dtype=torch.float64)
    bias = -weights @ GREY.flatten()
    bias[0] += 0.6
    return weights, lambda pixels: pixels.flatten(1) @ weights.T + bias


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("target", [None, 1])
def test_a_linear_classifier_s_smallest_change_is_the_closed_form(norm: Norm, target: int | None) -> None:
    weights, logits = linear(2)
    away = weights[0] - weights[1]
    closest = 0.6 / float(away.abs().sum() if norm == "linf" else away.norm())  # the dual norm
    found = smallest_change(logits, GREY, Goal(0, target), norm, precision=0.01)
    assert found.reached
    assert closest < found.size / 255 < 1.011 * closest
    assert found.below / 255 < closest
    assert logits(found.changed).argmax() == 1
    direction = -away.sign() if norm == "linf" else -away
    cosine = torch.cosine_similarity(found.change.flatten(), direction, dim=0)
    assert float(cosine) > 0.99


def test_of_three_classes_the_asked_for_one_comes_first() -> None:
    _, logits = linear(3)
    for target in (1, 2):
        assert logits(smallest_change(logits, GREY, Goal(0, target)).changed).argmax() == target


class Pixels(torch.nn.Module):
    """A head's logits as captum asks for them."""

    def __init__(self, logits: Logits) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, pixels: Tensor) -> Tensor:
        return self.logits(pixels)


@pytest.fixture
def clean() -> Tensor:
    return torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("target", [None, 2])
def test_five_steps_are_captum_s(exact_tiny_classifier: Classifier, clean: Tensor, target: int | None) -> None:
    network = exact_tiny_classifier.network
    logits: Logits = lambda pixels: network(exact_tiny_classifier.preprocessing.normalise(pixels))  # noqa: E731
    goal, bound, steps = Goal(int(logits(clean).argmax()), target), 2 / 255, 5
    theirs = PGD(Pixels(logits), lambda out, _: -goal.margin(out), lower_bound=0, upper_bound=1)
    theirs.fgsm.zero_thresh = 0
    wanted = theirs.perturb(clean, bound, REACH * bound / steps, steps, target=None)
    found, margin = attack(logits, clean, goal, "linf", bound, steps, stop=False)
    assert_close(found - clean, wanted - clean, 1e-9)
    with torch.no_grad():
        assert_close(margin, goal.margin(logits(wanted))[0], 1e-9)


def test_one_step_and_both_bounds_are_captum_s(exact_tiny_classifier: Classifier, clean: Tensor) -> None:
    network = exact_tiny_classifier.network
    logits: Logits = lambda pixels: network(exact_tiny_classifier.preprocessing.normalise(pixels))  # noqa: E731
    goal = Goal(int(logits(clean).argmax()))
    _, gradient = margin_gradient(logits, clean, goal)
    model, loss = Pixels(logits), lambda out, _: -goal.margin(out)
    fgsm = FGSM(model, loss)
    fgsm.zero_thresh = 0
    assert_close(stepped(clean, gradient, "linf", 0.01) - clean, fgsm.perturb(clean, 0.01, None) - clean, 1e-9)
    names: dict[Norm, Literal["Linf", "L2"]] = {"linf": "Linf", "l2": "L2"}
    for norm, theirs in names.items():
        pgd = PGD(model, loss, lower_bound=0, upper_bound=1)
        pgd.fgsm.zero_thresh = 0
        radius = 0.004 if norm == "linf" else 0.5
        wanted = pgd.perturb(clean, radius, 0.01, 1, None, norm=theirs)
        assert_close(bounded(clean, stepped(clean, gradient, "linf", 0.01), norm, radius) - clean, wanted - clean, 1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_no_bound_is_exceeded_and_a_flip_is_one(tiny_classifier: Classifier, norm: Norm) -> None:
    levels = torch.randint(0, 256, (1, 3, 224, 224), generator=torch.Generator().manual_seed(1))
    clean = levels.double() / 255
    logits = logits_of(tiny_classifier, "aux1")
    with torch.no_grad():
        goal = Goal(int(logits(clean).argmax()))
    found = smallest_change(logits, clean, goal, norm, 3)
    assert found.reached
    changed = found.changed
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    tried = [attempt.bound for attempt in found.attempts if attempt.reached]
    assert found.size <= min(tried) * (1 + 1e-9)
    assert found.size == pytest.approx(255 * size_of(changed - clean, norm))
    assert found.size * (1 - PRECISION) <= found.below < found.size
    # The answer asked for anew, by the way that photos go.
    x = tiny_classifier.preprocessing.normalise(changed)
    assert int(tiny_classifier.heads_of(x).of("aux1").argmax()) != goal.source
    if norm == "linf":
        assert found.stored is not None
        assert found.whole is not None
        assert torch.equal(found.stored, found.stored.round())
        assert int((found.stored - levels).abs().max()) <= found.whole
        stored = tiny_classifier.preprocessing.normalise(found.stored / 255)
        assert int(tiny_classifier.heads_of(stored).of("aux1").argmax()) != goal.source
    further = change_within(logits, clean, goal, norm, 4 * found.size, 3)
    assert further.size <= 4 * found.size * (1 + 1e-9)
    assert further.attempts[0].margin < found.attempts[-1].margin


def test_what_cannot_be_asked_is_told() -> None:
    _, logits = linear(2)
    with pytest.raises(ValueError, match="gives the asked-for answer already"):
        smallest_change(logits, GREY, Goal(1, 0))
    with pytest.raises(ValueError, match="at least one step"):
        smallest_change(logits, GREY, Goal(0), steps=0)
    with pytest.raises(ValueError, match="up to 32 levels of 255; got 99"):
        change_within(logits, GREY, Goal(0), "linf", 99)


def test_what_cannot_be_turned_is_told_and_work_can_be_stopped() -> None:
    _, logits = linear(2)
    found = smallest_change(lambda pixels: logits(pixels) + torch.tensor([1e6, 0.0]), GREY, Goal(0), steps=2)
    assert not found.reached
    assert found.below == 32
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        smallest_change(logits, GREY, Goal(0), cancel=stop)
