"""What the methods' papers promise of a map: sums that close, limits that are known, parts that add up."""

from __future__ import annotations

import captum.attr as captum
import pytest
import torch
from torch import Tensor, nn

from inception_model.architecture.spec import BRANCHES
from inception_model.attribution.pairwise import PairwiseMaxPool
from inception_model.images.baselines import BASELINES
from inception_model.inference.classifier import Classifier
from tests.attribution.asking import ask
from tests.compare import assert_close, relative_norm
from tests.random_networks import noise_images


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution", "deeplift"])
def test_bent_gradients_differ_from_the_gradient(method: str, classifier: Classifier, x: Tensor) -> None:
    plain = ask(classifier, x, "saliency").values
    bent = ask(classifier, x, method, baseline="mean").values
    if method == "deeplift":  # DeepLift's multipliers, to be compared with slopes
        plain = plain * x[0]
    assert relative_norm(bent, plain) > 0.05


@pytest.mark.parametrize(
    ("method", "name"),
    [*(("deeplift", name) for name in BASELINES), ("integrated_gradients", "blur"), ("layer_conductance", "blur")],
)
def test_sums_close(method: str, name: str, classifier: Classifier, x: Tensor) -> None:
    result = ask(classifier, x, method, baseline=name, options={} if method == "deeplift" else {"steps": 60})
    assert result.baselines is not None
    assert len(result.baselines) == (4 if name == "noise" else 1)
    logits = classifier.heads_of(result.baselines).main
    assert result.baseline_score == pytest.approx(float(logits[:, result.target.index].mean()), rel=1e-4)
    assert result.completeness_error is not None
    assert result.completeness_error < (1e-4 if method == "deeplift" else 0.02)


def test_captum_alone_loses_credit_in_deeplift(classifier: Classifier, x: Tensor) -> None:
    """Why max pools are written as pairwise maxima: with captum's own rule for them the sum does not close."""
    network = classifier.twin().network.to(memory_format=torch.contiguous_format)
    start = torch.zeros_like(x)
    _, delta = captum.DeepLift(network).attribute(x, start, target=0, return_convergence_delta=True)
    ours = ask(classifier, x, "deeplift", target=0, baseline="mean")
    assert ours.delta is not None
    assert abs(float(delta)) > 100 * abs(ours.delta)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "ceil"), [(3, 2, 0, True), (3, 1, 1, True), (2, 2, 0, True), (3, 2, 1, False)]
)
@pytest.mark.parametrize("side", [5, 6, 7, 14])
def test_pairwise_maxima_are_a_max_pool(kernel: int, stride: int, padding: int, ceil: bool, side: int) -> None:
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    x = noise_images(1)[:, :, :side, : side + 1]
    assert_close(PairwiseMaxPool(pool)(x), pool(x), 1e-6)


def test_smoothgrad_without_noise_is_the_gradient(classifier: Classifier, x: Tensor) -> None:
    smooth = ask(classifier, x, "smoothgrad", options={"sigma": 0, "samples": 3})
    assert_close(smooth.values, ask(classifier, x, "saliency").values)


def test_occluding_everything_leaves_the_baseline(classifier: Classifier, x: Tensor) -> None:
    result = ask(classifier, x, "occlusion", options={"window": 224, "stride": 224})
    assert result.baseline_score is not None
    drop = result.score - result.baseline_score
    assert_close(result.heatmap, torch.full((224, 224), drop), 1e-4)


def test_gradcam_at_5b_sums_to_the_logit_without_bias(classifier: Classifier, x: Tensor) -> None:
    whole = ask(classifier, x, "gradcam", target=4)
    assert whole.layer == "5b"
    assert whole.heatmap.shape == (7, 7)
    assert whole.total == pytest.approx(whole.score - float(classifier.network.classifier.bias[4]), rel=1e-4)
    parts = [ask(classifier, x, "gradcam", target=4, layer=f"5b:{kind}") for kind in BRANCHES]
    assert_close(torch.stack([part.heatmap for part in parts]).sum(0), whole.heatmap)


def test_an_all_negative_map_is_explained(classifier: Classifier, x: Tensor) -> None:
    twin = classifier.twin()
    linear = nn.Linear(twin.network.classifier.in_features, 7).requires_grad_(False)
    linear.weight.fill_(-1.0)
    twin.network.classifier = linear
    result = ask(twin, x, "gradcam", target=2)
    assert result.all_negative
    assert "5b" in result.note
    assert "thing 2" in result.note
    assert ask(classifier, x, "saliency").note == ""


def test_bfloat16_steps_stay_near_float32(classifier: Classifier, x: Tensor) -> None:
    full = ask(classifier, x, "integrated_gradients", baseline="blur").values
    rough = ask(classifier, x, "integrated_gradients", baseline="blur", options={"steps": 13, "precision": "bfloat16"})
    assert not torch.equal(rough.values, full)
    # Random weights make for a rough surface with many ReLUs on the edge: near means the same map, not the same digits.
    assert float(torch.corrcoef(torch.stack([rough.values.flatten(), full.flatten()]))[0, 1]) > 0.9
    assert all(parameter.dtype == torch.float32 for parameter in classifier.network.parameters())
