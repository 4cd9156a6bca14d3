"""Randomised weights: which are reached, the published verdicts on a real photo, and that the original stays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.variants import tiny
from inception_model.attribution import Attribution, explain
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.serving.service import hook_count
from inception_model.trust import Badge, Case, weights_hash
from inception_model.trust.randomisation import cascade, randomisation, randomise, rank_correlation
from tests.random_networks import noise_images
from tests.trust.cases import Stubborn, case_of


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
        randomisation(Vandal(own, x, explain(tiny_classifier, x, "saliency")), seeds=(0,))


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
    photo = interpolate(bundled_classifier.prepare(cat.image), scale_factor=0.5, mode="area")  # they need no more of it
    found = randomisation(case_of(bundled_classifier, photo, method), seeds=(0,))
    assert found.passed is passes, found.sentence
    assert len(found.parts) == 11
    assert weights_hash(bundled_classifier.network) == before
    if not passes:  # as in the paper: nothing above the lowest layers is noticed at all
        assert min(found.by_depth[:6]) > 0.9
