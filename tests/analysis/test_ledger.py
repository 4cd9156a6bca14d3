"""The ledger against captum's layer conductance and GradCAM, against ablation, and against its own sums."""

from __future__ import annotations

import threading

import pytest
import torch
from captum.attr import IntegratedGradients, LayerConductance, LayerGradCam
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torchvision.transforms.functional import gaussian_blur

from inception_model.analysis.ablation import Ablation, ablate
from inception_model.analysis.conductance import CreditLedger, credit_ledger, exact_split
from inception_model.architecture import variants
from inception_model.architecture.address import modules_seen
from inception_model.architecture.spec import BRANCHES, HeadName
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from inception_model.progress import Cancelled
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier

TARGETS = [Target(3), Target(3, minus=5)]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier(variants.tiny())


def score_of(classifier: Classifier, head: HeadName, target: Target) -> nn.Module:
    """The network as captum wants it: images -> (N,) scores, with the network's own modules inside."""

    class Score(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = classifier.network

        def forward(self, x: Tensor) -> Tensor:
            logits = getattr(self.network.forward_heads(x), head)
            return logits[:, target.index] - (0 if target.minus is None else logits[:, target.minus])

    return Score()


class Flops(TorchDispatchMode):
    """Torch's own formulas over every call. (Its FlopCounterMode refuses gradients with respect to a leaf.)"""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def ledger(
    classifier: Classifier, target: Target = TARGETS[0], head: HeadName = "main", steps: int = 6
) -> CreditLedger:
    return credit_ledger(
        classifier, noise_images(1), noise_images(1, seed=1) * 0.2, target, head, steps=steps, error=None, batch=64
    )


@pytest.mark.parametrize("target", TARGETS, ids=["class", "contrast"])
def test_the_exact_split_closes_and_equals_ablation(classifier: Classifier, target: Target) -> None:
    trace = capture(classifier, noise_images(2))
    split = exact_split(classifier, trace, target)
    assert split.branches.shape == (2, 4)
    size = float(split.branches.abs().sum())  # the branches nearly cancel in the score
    assert_close(split.branches.sum(1) + split.bias, split.score, 1e-6, scale=size)
    assert_close(split.residual, torch.zeros_like(split.residual), 1e-6, scale=size)
    assert_close(split.channels.sum(1), split.branches.sum(1), 1e-6)
    for i, branch in enumerate(BRANCHES):
        delta = ablate(classifier, trace, Ablation.parse([f"5b:{branch}"], classifier.network.spec)).delta("main")
        expected = delta[:, target.index] - (0 if target.minus is None else delta[:, target.minus])
        assert_close(split.branches[:, i], -expected.double())


@pytest.mark.parametrize("target", TARGETS, ids=["class", "contrast"])
def test_gradcam_at_5b_sums_to_the_exact_split(classifier: Classifier, target: Target) -> None:
    x = noise_images(2)
    cam = LayerGradCam(score_of(classifier, "main", target), classifier.network.block("5b")).attribute(x)
    split = exact_split(classifier, capture(classifier, x), target)
    assert_close(cam.sum((1, 2, 3)).detach().double(), split.branches.sum(1))


@pytest.mark.parametrize("target", TARGETS, ids=["class", "contrast"])
@pytest.mark.parametrize(
    ("head", "module"), [("main", "3a"), ("main", "4d"), ("main", "5b"), ("aux1", "3b"), ("aux2", "4d")]
)
def test_equals_captums_conductance(classifier: Classifier, head: HeadName, module: str, target: Target) -> None:
    """Captum multiplies each step's change by the gradient at the step's start; walked backwards, by that at its end.

    Half the difference of its two walks is therefore the trapezoid sum, which is ours.
    """
    x, base, steps = noise_images(1), noise_images(1, seed=1) * 0.2, 6
    captum = LayerConductance(score_of(classifier, head, target), classifier.network.block(module))
    there = captum.attribute(x, base, n_steps=steps, method="riemann_trapezoid")
    back = captum.attribute(base, x, n_steps=steps, method="riemann_trapezoid")
    expected = ((there - back) / 2).sum((0, 2, 3)).detach().double()
    assert_close(ledger(classifier, target, head, steps).channels[module], expected, 1e-4)


def test_captums_own_sum_comes_closer_with_more_steps(classifier: Classifier) -> None:
    x, base = noise_images(1), noise_images(1, seed=1) * 0.2
    captum = LayerConductance(score_of(classifier, "main", TARGETS[0]), classifier.network.block("4a"))

    def gap(steps: int) -> float:
        one_sided = (
            captum.attribute(x, base, n_steps=steps, method="riemann_trapezoid").sum((0, 2, 3)).detach().double()
        )
        return float((ledger(classifier, steps=steps).channels["4a"] - one_sided).norm() / one_sided.norm())

    assert gap(40) < gap(2) / 3


@pytest.mark.parametrize("head", ["aux1", "main"])
def test_rows_close_better_with_more_steps(classifier: Classifier, head: HeadName) -> None:
    coarse, fine = (ledger(classifier, head=head, steps=steps) for steps in (2, 128))
    assert fine.table.shape == (len(fine.modules), 4)
    assert_close(
        fine.table.sum(1) + fine.residuals, torch.full((len(fine.modules),), fine.total, dtype=torch.float64), 1e-12
    )
    assert float(fine.residuals.abs().mean()) < float(coarse.residuals.abs().mean()) / 4
    assert_close(fine.relative_residuals * abs(fine.total), fine.residuals, 1e-12)
    for name, row in zip(fine.modules, fine.table, strict=True):
        block = classifier.network.spec.block(name)
        assert_close(torch.stack([fine.channels[name][block.channels(kind)].sum() for kind in BRANCHES]), row, 1e-12)


def test_the_last_row_is_exact_for_any_number_of_steps(classifier: Classifier) -> None:
    x, base = noise_images(1), noise_images(1, seed=1) * 0.2
    here, there = (exact_split(classifier, capture(classifier, image), TARGETS[0]) for image in (x, base))
    result = ledger(classifier, steps=3)
    assert result.modules[-1] == "5b"
    assert_close(result.table[-1], (here.branches - there.branches)[0])
    assert_close(float(result.residuals[-1]), 0.0, scale=float(result.table[-1].abs().sum()))


def test_a_contrast_is_the_difference_of_two_ledgers(classifier: Classifier) -> None:
    contrast, first, second = (ledger(classifier, target) for target in (Target(3, 5), Target(3), Target(5)))
    assert_close(contrast.table, first.table - second.table)
    assert_close(contrast.total, first.total - second.total, scale=abs(first.total) + abs(second.total))


def test_each_head_has_the_modules_that_it_sees(classifier: Classifier) -> None:
    spec = classifier.network.spec
    assert modules_seen(spec, "aux1") == ("3a", "3b", "4a")
    assert modules_seen(spec, "aux2") == ("3a", "3b", "4a", "4b", "4c", "4d")
    assert modules_seen(spec, "main") == spec.module_names
    heads = classifier.heads_of(torch.cat([noise_images(1), noise_images(1, seed=1) * 0.2]))
    for head in ("aux1", "aux2", "main"):
        result = ledger(classifier, head=head, steps=1)
        assert (result.score, result.baseline_score) == pytest.approx(tuple(heads.of(head)[:, 3].tolist()), rel=1e-5)


def test_the_batch_size_does_not_matter(classifier: Classifier) -> None:
    x, base = noise_images(1), noise_images(1, seed=1) * 0.2
    whole, parts = (
        credit_ledger(classifier, x, base, TARGETS[0], steps=6, error=None, batch=batch) for batch in (7, 2)
    )
    assert_close(parts.table, whole.table)


def test_all_modules_cost_one_integrated_gradients_pass() -> None:
    classifier = random_classifier(variants.batchnorm(classes=10))
    x, base = noise_images(1)[..., :64, :64], torch.zeros(1, 3, 64, 64)
    with Flops() as ours:
        credit_ledger(classifier, x, base, Target(3), steps=2, error=None)
    with Flops() as captums:
        IntegratedGradients(classifier.network).attribute(x, base, target=3, n_steps=3)
    assert 0 < ours.total < captums.total


def test_progress_and_cancelling(classifier: Classifier) -> None:
    x, base, cancel, seen = noise_images(1), torch.zeros(1, 3, 224, 224), threading.Event(), []
    credit_ledger(classifier, x, base, Target(0), steps=4, error=None, batch=2, progress=lambda *at: seen.append(at))
    assert seen == [(0, 5), (2, 5), (4, 5), (5, 5)]
    cancel.set()
    with pytest.raises(Cancelled):
        credit_ledger(classifier, x, base, Target(0), cancel=cancel)


def test_what_makes_no_ledger_is_refused(classifier: Classifier) -> None:
    x = noise_images(2)
    main_only = random_classifier(variants.tiny(), trained=("main",))
    with pytest.raises(ValueError, match="'aux1' of random is not there or was never trained; allowed: main"):
        credit_ledger(main_only, x[:1], x[:1], Target(0), "aux1")
    with pytest.raises(ValueError, match="takes one image"):
        credit_ledger(classifier, x, x, Target(0))
    with pytest.raises(ValueError, match="steps must be at least 1; got 0"):
        credit_ledger(classifier, x[:1], x[:1], Target(0), steps=0)
    same = credit_ledger(classifier, x[:1], x[:1], Target(0), steps=1)
    assert same.total == 0
    assert bool(same.relative_residuals.isnan().all())


def test_baselines(classifier: Classifier) -> None:
    preprocessing = classifier.preprocessing
    x = preprocessing.normalise(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert_close(preprocessing.denormalise(baseline("black", x, preprocessing)) + 1, torch.ones_like(x))
    assert not baseline("mean", x, preprocessing).any()
    blurred = baseline("blur", x, preprocessing)
    assert_close(blurred, gaussian_blur(x, kernel_size=[2 * 10 + 1] * 2, sigma=[3.2, 3.2]), 1e-4)
    with pytest.raises(KeyError, match="unknown baseline 'white'; allowed: black, mean, blur"):
        baseline("white", x, preprocessing)


def blurred_pair() -> tuple[Tensor, Tensor]:
    """A small image and a baseline (1, 3, 96, 96) without fine noise: the score's slope jumps less along the path."""
    x, start = (gaussian_blur(noise_images(1, seed=seed)[..., :96, :96], [9, 9], [3.0, 3.0]) * 4 for seed in (0, 1))
    return x, start * 0.2


def test_the_path_is_refined_until_every_row_closes(classifier: Classifier) -> None:
    coarse = credit_ledger(classifier, *blurred_pair(), TARGETS[0], steps=4, error=None)
    fine = credit_ledger(classifier, *blurred_pair(), TARGETS[0], steps=4, error=5.0)
    assert float(coarse.relative_residuals.abs().max()) > 0.05  # or there would be nothing to refine
    assert float(fine.relative_residuals.abs().max()) < 0.05
    assert fine.unmet == ()
    assert fine.total == pytest.approx(coarse.total, rel=1e-4)
    assert (coarse.steps, coarse.gradients) == (4, 5)
    assert coarse.row_steps == (4,) * len(coarse.modules)
    assert max(fine.row_steps) == fine.steps > 4
    assert min(fine.row_steps) == fine.row_steps[-1] == 4  # 5b's row is exact from the start
    assert fine.gradients <= 400
    assert f"{fine.steps} steps, {fine.gradients} gradients: every row's residual is below 5%." == fine.steps_words
    assert_close(coarse.table[-1], fine.table[-1])


def test_the_limit_of_the_ledger_is_kept_and_told(classifier: Classifier) -> None:
    short = credit_ledger(classifier, *blurred_pair(), TARGETS[0], steps=4, error=1e-6, limit=40)
    assert 5 < short.gradients <= 40
    assert "3a" in short.unmet
    assert "the limit of gradients was reached" in short.steps_words
    rows = {row["module"]: row for row in short.as_dict()["modules"]}
    assert rows["3a"]["met"] is False
    assert rows["3a"]["steps"] == short.steps
    cancel = threading.Event()

    def stop(done: int, total: int) -> None:
        if done > 5:
            cancel.set()

    with pytest.raises(Cancelled):
        credit_ledger(
            classifier, noise_images(1), noise_images(1) * 0, TARGETS[0], steps=4, error=1e-6, progress=stop,
            cancel=cancel,
        )  # fmt: skip
