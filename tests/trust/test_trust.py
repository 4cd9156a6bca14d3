"""Checks of maps: known answers, captum called directly, the published verdicts on a real photo, and how they stop."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace

import captum.attr
import captum.metrics
import pytest
import scipy.stats
import torch
from torch import Tensor

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.variants import tiny
from inception_model.attribution import Attribution, explain
from inception_model.attribution.captum_metrics import (
    covering_squares,
    infidelity,
    uniform_noise,
)
from inception_model.images.baselines import baseline
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.serving.service import hook_count
from inception_model.trust import CHECKS, QUICK, Badge, Case, curves, evidence, weights_hash
from inception_model.trust.completeness import completeness
from inception_model.trust.curves import area, curve, masks, random_rankings
from inception_model.trust.fidelity import measure_infidelity, measure_sensitivity
from inception_model.trust.randomisation import cascade, randomisation, randomise, rank_correlation
from tests.compare import assert_close, relative_norm
from tests.random_networks import noise_images


def case_of(classifier: Classifier, x: Tensor, method: str, **arguments: object) -> Case:
    return Case(classifier, x, explain(classifier, x, method, **arguments))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def x() -> Tensor:
    return noise_images(1, seed=5)


# Completeness


def test_a_sum_that_closes_passes_one_that_does_not_fails_and_no_promise_is_no_verdict(
    tiny_classifier: Classifier, x: Tensor
) -> None:
    case = case_of(tiny_classifier, x, "deeplift")
    found = completeness(case)
    assert found.passed is True
    assert found.difference == pytest.approx(found.total, rel=1e-3)
    doubled = completeness(replace(case, attribution=replace(case.attribution, values=2 * case.attribution.values)))
    assert doubled.passed is False
    assert doubled.error == pytest.approx(1, rel=1e-3)
    assert "does not close" in doubled.sentence
    free = completeness(case_of(tiny_classifier, x, "saliency"))
    assert free.passed is None
    assert "does not promise" in free.sentence


# Randomisation


def test_rank_correlation_is_spearmans_also_with_ties() -> None:
    random = torch.Generator().manual_seed(0)
    for levels in (4, 50, 100_000):
        a, b = torch.randint(levels, (2, 31, 17), generator=random).float()
        b = a + b / 2
        assert rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a.flatten(), b.flatten())[0], rel=1e-12)
    assert rank_correlation(a, a) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, torch.ones_like(a)) is None


def test_the_cascade_goes_down_each_heads_own_path() -> None:
    spec = tiny()
    down = ["4e", "4d", "4c", "4b", "4a", "3b", "3a", "stem"]
    assert list(cascade(spec, "main")) == ["classifier", "5b", "5a", *down]
    assert list(cascade(spec, "aux2")) == ["aux2 classifier", "aux2 fc", "aux2 conv", *down[1:]]
    assert list(cascade(spec, "aux1")) == ["aux1 classifier", "aux1 fc", "aux1 conv", *down[4:]]


@pytest.mark.parametrize("head", ["aux1", "main"])
def test_the_cascade_reaches_every_weight_of_a_head_and_no_other(tiny_classifier: Classifier, head: str) -> None:
    network = tiny_classifier.network
    broken = GoogLeNet(network.spec).eval()
    broken.load_state_dict(network.state_dict())
    for modules in cascade(network.spec, head).values():  # type: ignore[arg-type]
        randomise(broken, modules, torch.Generator().manual_seed(1))
    leaf = noise_images(1).requires_grad_()
    broken.zero_grad()
    broken.head_logits(leaf, head).sum().backward()
    pairs = zip(broken.named_parameters(), network.parameters(), strict=True)
    for (name, after), before in pairs:
        if after.numel() > 1:  # one value alone has no spread
            assert torch.equal(after, before) is (after.grad is None), name
        # Larger tensors keep theirs, so that activations stay alive.
        if after.grad is not None and after.numel() > 500:
            assert float(after.detach().std() / before.std()) == pytest.approx(1, rel=0.15), name


@dataclass(frozen=True)
class Stubborn(Case):
    """A method that draws the same map whatever the network."""

    def again(self, x: Tensor | None = None, network: GoogLeNet | None = None) -> Attribution:
        return self.attribution


@dataclass(frozen=True)
class Vandal(Case):
    """A method that writes to the shared network."""

    def again(self, x: Tensor | None = None, network: GoogLeNet | None = None) -> Attribution:
        with torch.no_grad():
            self.classifier.network.classifier.bias.add_(1e-3)
        return self.attribution


def test_a_map_that_never_changes_fails_with_similarity_one(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    found = randomisation(Stubborn(tiny_classifier, x, known))
    assert found.similarity == pytest.approx(1)
    assert found.passed is False
    assert found.parts[0] == "aux1 classifier"
    assert "learned nothing" in found.sentence
    assert Badge((found,)).state == "fails randomisation"


def test_randomisation_leaves_the_weights_alone_and_follows_its_seed(tiny_classifier: Classifier, x: Tensor) -> None:
    before = weights_hash(tiny_classifier.network)
    case = case_of(tiny_classifier, x, "gradcam", head="aux2", target="1-2")
    first, again, other = (randomisation(case, seeds=seeds) for seeds in ((0,), (0,), (1,)))
    assert first == again != other
    assert weights_hash(tiny_classifier.network) == before
    assert hook_count(tiny_classifier.network) == 0
    both = randomisation(case, seeds=(0, 1))
    assert both.signed == (*first.signed, *other.signed)
    assert both.by_depth == pytest.approx([sum(pair) / 2 for pair in zip(*both.signed, strict=True)])


def test_a_changed_original_is_noticed(tiny_classifier: Classifier, x: Tensor) -> None:
    own = replace(tiny_classifier, network=GoogLeNet(tiny_classifier.network.spec).eval())
    with pytest.raises(RuntimeError, match="weights changed"):
        randomisation(Vandal(own, x, explain(tiny_classifier, x, "saliency")))


def test_the_hash_sees_one_bit(tiny_classifier: Classifier) -> None:
    network = GoogLeNet(tiny_classifier.network.spec)
    network.load_state_dict(tiny_classifier.network.state_dict())
    assert weights_hash(network) == weights_hash(tiny_classifier.network)
    with torch.no_grad():
        bias = network.classifier.bias
        bias[0] = torch.nextafter(bias[0], torch.tensor(9.0))
    assert weights_hash(network) != weights_hash(tiny_classifier.network)


@pytest.mark.parametrize(("method", "passes"), [("saliency", True), ("gradcam", True), ("guided_backprop", False)])
def test_adebayos_verdicts_on_a_real_photo(
    bundled_classifier: Classifier, cat: Photo, method: str, passes: bool
) -> None:
    before = weights_hash(bundled_classifier.network)
    found = randomisation(case_of(bundled_classifier, bundled_classifier.prepare(cat.image), method))
    assert found.passed is passes, found.sentence
    assert len(found.parts) == 11
    assert weights_hash(bundled_classifier.network) == before
    if not passes:  # as in the paper: nothing above the lowest layers is noticed at all
        assert min(found.by_depth[:6]) > 0.9


# Insertion and deletion


@pytest.mark.parametrize(("head", "target"), [("main", "auto"), ("aux1", "3"), ("aux2", "4-2")])
def test_curves_end_at_the_image_and_at_the_baseline(
    tiny_classifier: Classifier, x: Tensor, head: str, target: str
) -> None:
    case = case_of(tiny_classifier, x, "gradcam", head=head, target=target)
    goal = case.attribution.target

    def truth(images: Tensor) -> float:
        logits = tiny_classifier.heads_of(images).of(head)
        return float(logits.softmax(1)[0, goal.index] if goal.minus is None else goal.score(logits)[0])

    there = truth(x)
    # A contrast is a difference of two logits, a probability the exponential of one.
    size = 1.0 if goal.minus is None else float(tiny_classifier.heads_of(x).of(head).norm())
    for direction, name in (("deletion", "mean"), ("insertion", "blur")):
        found = curve(case, direction, steps=4, rivals=2)  # type: ignore[arg-type]
        start, end = there, truth(baseline(name, x, tiny_classifier.preprocessing))
        start, end = (start, end) if direction == "deletion" else (end, start)
        for scores in (found.scores, *found.random):
            assert len(scores) == 5
            assert_close((scores[0], scores[-1]), (start, end), scale=size)
        assert found.unit == ("probability" if goal.minus is None else "difference of logits")


def test_a_point_of_the_curve_is_the_image_with_those_pixels_replaced(tiny_classifier: Classifier, x: Tensor) -> None:
    case = case_of(tiny_classifier, x, "saliency")
    top = torch.zeros(224 * 224)
    top[case.attribution.heatmap.flatten().topk(224 * 224 // 4).indices] = 1
    mask, logits = top.view(1, 1, 224, 224), tiny_classifier.heads_of
    blurred, index = baseline("blur", x, tiny_classifier.preprocessing), case.attribution.target.index
    deleted = logits(x * (1 - mask)).main.softmax(1)[0, index]
    inserted = logits(x * mask + blurred * (1 - mask)).main.softmax(1)[0, index]
    assert curve(case, "deletion", steps=4, rivals=2).scores[1] == pytest.approx(float(deleted), rel=1e-4)
    assert curve(case, "insertion", steps=4, rivals=2).scores[1] == pytest.approx(float(inserted), rel=1e-4)


def test_deletion_of_a_known_object_has_a_known_area(
    tiny_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The score is the brightness of the upper left quarter: deleting just that takes it down to 0 at a share of 1/4.
    monkeypatch.setattr(
        curves, "score_function", lambda _: (lambda images: images[:, 0, :112, :112].mean((1, 2)), "brightness")
    )
    ones = torch.ones(1, 3, 224, 224)
    heatmap = torch.rand(224, 224, generator=torch.Generator().manual_seed(0))
    heatmap[:112, :112] += 1
    known = replace(explain(tiny_classifier, ones, "saliency"), heatmap=heatmap)
    right = curve(Case(tiny_classifier, ones, known), "deletion", steps=8)
    assert_close(right.scores, (1, 0.5, 0, 0, 0, 0, 0, 0, 0), 1e-6)
    assert right.auc == pytest.approx(0.125)
    assert right.passed
    assert "better than" in right.sentence
    wrong = curve(Case(tiny_classifier, ones, replace(known, heatmap=-heatmap)), "deletion", steps=8)
    assert wrong.auc == pytest.approx(0.875, rel=1e-6)
    assert not wrong.passed
    assert wrong.gain < 0
    assert "not better than" in wrong.sentence


def test_masks_take_the_largest_first_and_areas_are_trapezia() -> None:
    ranking = torch.tensor([[5.0, 1.0], [3.0, 3.0]])
    assert masks(ranking, (0.25, 0.5, 1.0)).tolist() == [
        [[True, False], [False, False]],
        [[True, False], [True, False]],
        [[True, True], [True, True]],
    ]
    assert area((0, 0.5, 1), (1, 0, 0)) == 0.25


def test_random_rankings_are_as_grainy_as_the_map_and_follow_their_seed() -> None:
    heatmap = torch.nn.functional.interpolate(torch.randn(1, 1, 7, 7), size=(64, 64), mode="bilinear")[0, 0]
    rivals = random_rankings(heatmap, 3, seed=1)
    wanted = torch.fft.rfft2(heatmap.double()).abs().expand(3, -1, -1)
    # Where a frequency must be real, its phase is 0 or 180 degrees; the size stays.
    assert relative_norm(torch.fft.rfft2(rivals).abs(), wanted) < 1e-6
    assert torch.equal(rivals, random_rankings(heatmap, 3, seed=1))
    assert abs(rank_correlation(rivals[0], rivals[1])) < 0.5


# Infidelity and sensitivity


def test_a_linear_score_is_foretold_without_error() -> None:
    weights, x = noise_images(2, seed=2).split(1)
    covers = torch.full_like(x, 0.3)

    def score(images: Tensor) -> Tensor:
        return (images * weights).sum((1, 2, 3))

    scale = infidelity(score, x, torch.zeros_like(x), covering_squares(covers, 56, 0, slopes=True), 12)
    slopes = infidelity(score, x, weights, covering_squares(covers, 56, 0, slopes=True), 12)
    effects = infidelity(score, x, weights * (x - covers), covering_squares(covers, 56, 0, slopes=False), 12)
    assert scale > 1
    assert slopes / scale < 1e-4
    assert effects / scale < 1e-4


@pytest.mark.parametrize("method", ["guided_backprop", "integrated_gradients"])
def test_infidelity_is_captums(tiny_classifier: Classifier, x: Tensor, method: str) -> None:
    case = case_of(tiny_classifier, x, method, **({"options": {"steps": 4}} if method.startswith("integ") else {}))
    known, slopes = case.attribution, method == "guided_backprop"
    covers = torch.zeros_like(x) if known.baselines is None else known.baselines
    wanted = captum.metrics.infidelity(
        lambda images: tiny_classifier.network(images)[:, known.target.index],
        covering_squares(covers, 56, 3, slopes=slopes),
        x,
        known.values[None],
        n_perturb_samples=12,
        max_examples_per_batch=8,
        normalize=True,
    )
    found = measure_infidelity(case, samples=12, seeds=(3,))
    assert found.value == pytest.approx(float(wanted), rel=1e-4)
    assert found.passed == (found.value < found.uniform)


def test_squares_cover_what_they_say() -> None:
    x, covers = noise_images(3, seed=6), torch.full((1, 3, 224, 224), 9.0)
    change, covered = covering_squares(covers, 56, 0, slopes=True)(x)
    assert torch.equal(x - change, covered)
    assert (covered == 9).sum((1, 2, 3)).tolist() == [3 * 56 * 56] * 3
    mask, again = covering_squares(covers, 56, 0, slopes=False)(x)
    assert torch.equal(again, covered)
    assert torch.equal(mask == 1, covered == 9)


def test_sensitivity_is_captums_and_zero_for_a_map_that_never_changes(tiny_classifier: Classifier, x: Tensor) -> None:
    case = case_of(tiny_classifier, x, "saliency")
    index = case.attribution.target.index
    # One grey level of 255 in each of the preprocessing's colours.
    radius = 1 / 255 / torch.tensor(tiny_classifier.preprocessing.std).view(1, 3, 1, 1)

    def gradient(images: tuple[Tensor, ...] | Tensor) -> tuple[Tensor, ...] | Tensor:
        method = captum.attr.Saliency(tiny_classifier.network)
        found = method.attribute(images, target=index, abs=False)
        return (found[0].contiguous(),) if isinstance(found, tuple) else found.contiguous()

    wanted = captum.metrics.sensitivity_max(
        gradient,
        x,
        perturb_func=uniform_noise(radius, 0),
        n_perturb_samples=3,
        max_examples_per_batch=1,
    )
    found = measure_sensitivity(case, samples=3, seeds=(0,))
    assert found.value == pytest.approx(float(wanted), rel=1e-3)
    noise = uniform_noise(radius, 0)  # and by hand: the same three copies, one after the other
    remade = [explain(tiny_classifier, noise(x), "saliency", target=index).values for _ in range(3)]
    assert found.value == pytest.approx(max(relative_norm(values, case.attribution.values) for values in remade))
    assert measure_sensitivity(Stubborn(tiny_classifier, x, case.attribution), samples=2).value == 0
    # The noise's share of a sum is rounded as the sum is.
    assert float((uniform_noise(radius, 0)(x) - x).abs().max()) <= float(radius.max()) + 1e-6 * float(x.abs().max())


# All together


def test_every_check_runs_is_plain_data_and_leaves_nothing_behind(tiny_classifier: Classifier, x: Tensor) -> None:
    before, told = weights_hash(tiny_classifier.network), list[tuple[int, int]]()
    known = explain(tiny_classifier, x, "gradcam", "aux1", "2-5", layer="3b:3x3")
    badge = evidence(tiny_classifier, x, known, tuple(CHECKS), progress=lambda done, total: told.append((done, total)))
    assert [found.name for found in badge.evidence] == list(CHECKS)
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1
    assert weights_hash(tiny_classifier.network) == before
    assert hook_count(tiny_classifier.network) == 0
    plain = json.loads(json.dumps(badge.as_dict()))
    assert [row["name"] for row in plain["evidence"]] == list(CHECKS)
    assert all(row["sentence"].endswith(".") for row in plain["evidence"])
    assert all(row["sentence"] in badge.words for row in plain["evidence"] if row["passed"] is False)
    newer = evidence(tiny_classifier, x, known, ["deletion"])
    assert [found.name for found in badge.joined(newer).evidence] == [
        *(n for n in CHECKS if n != "deletion"),
        "deletion",
    ]


@pytest.mark.parametrize("name", list(CHECKS))
def test_every_check_can_be_stopped(tiny_classifier: Classifier, x: Tensor, name: str) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    stop = threading.Event()

    def stop_soon(done: int, total: int) -> None:
        if done > 0 or name == "completeness":
            stop.set()

    if name == "completeness":
        stop.set()
    with pytest.raises(Cancelled):
        evidence(tiny_classifier, x, known, [name, "completeness"], progress=stop_soon, cancel=stop)
    assert hook_count(tiny_classifier.network) == 0


def test_the_badge_counts_in_words(tiny_classifier: Classifier, x: Tensor) -> None:
    deeplift = completeness(case_of(tiny_classifier, x, "deeplift"))
    saliency = completeness(case_of(tiny_classifier, x, "saliency"))
    failed = replace(deeplift, error=0.5)
    assert Badge(()).state == Badge((saliency,)).state == "not checked"
    assert Badge((deeplift, saliency)).state == "passes 1 of 1 checks"
    assert Badge((deeplift, failed)).state == "fails completeness"
    assert Badge((deeplift, failed)).words == failed.sentence
    assert Badge((deeplift,)).words == ""
    assert set(QUICK) == {"completeness", "insertion", "deletion", "sparseness"}


def test_an_unknown_check_lists_the_known_ones(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    with pytest.raises(KeyError, match=", ".join(CHECKS)):
        evidence(tiny_classifier, x, known, ["vibes"])
