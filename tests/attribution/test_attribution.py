"""Every attribution method beside captum called directly, and LRP beside zennit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import captum.attr as captum
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet, branch_unit
from inception_model.architecture.spec import BRANCHES
from inception_model.attribution import METHODS, gradients
from inception_model.attribution.pairwise import with_pairwise_pools
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from tests.attribution.asking import OPTIONS, Head, ask, hooks_on
from tests.attribution.zennit_lrp import zennit_relevance
from tests.compare import assert_close
from tests.random_networks import random_classifier

STEPS, SAMPLES, POINTS = 7, 7, 9
PASS = 5
"""Images per pass, so that so few steps and samples make two. (What takes a layer has passes of eight.)"""
FEW: dict[str, dict[str, object]] = {
    **OPTIONS,
    "integrated_gradients": {**OPTIONS["integrated_gradients"], "steps": STEPS},
    "layer_conductance": {**OPTIONS["layer_conductance"], "steps": POINTS},
    "smoothgrad": {**OPTIONS["smoothgrad"], "samples": SAMPLES},
    "gradient_shap": {**OPTIONS["gradient_shap"], "samples": SAMPLES},
}

Reference = Callable[[nn.Module, GoogLeNet, Tensor, Tensor, int], Tensor]


def _occlusion(module: nn.Module, _: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    return captum.Occlusion(module).attribute(x, (3, 80, 80), (3, 48, 48), baselines=b, target=k)[:, :1]


def _superpixels(module: nn.Module, _: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    from skimage.segmentation import slic

    pixels = (x[0] * torch.tensor([0.229, 0.224, 0.225])[:, None, None]).permute(1, 2, 0)
    pixels = (pixels + torch.tensor([0.485, 0.456, 0.406])).clamp(0, 1).double().numpy()
    mask = torch.from_numpy(slic(pixels, n_segments=9, compactness=30.0, start_label=0))[None, None]
    assert mask.max() > 4
    return captum.FeatureAblation(module).attribute(x, baselines=b, feature_mask=mask, target=k)[:, :1]


def _smoothgrad(module: nn.Module, _: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    torch.manual_seed(5)
    tunnel = captum.NoiseTunnel(captum.Saliency(module))
    sigma = 0.1 * float(x.max() - x.min())
    return tunnel.attribute(x, nt_samples=SAMPLES, nt_samples_batch_size=PASS, stdevs=sigma, abs=False, target=k)


def _gradient_shap(module: nn.Module, _: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    torch.manual_seed(5)
    np.random.seed(5)
    sigma = 0.1 * float(x.max() - x.min())
    return captum.GradientShap(module).attribute(x, b, n_samples=SAMPLES, stdevs=sigma, target=k)


def _layer_gradcam(module: nn.Module, network: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    return captum.LayerGradCam(module, network.block("4a")).attribute(x, target=k, attr_dim_summation=False)


REFERENCES: dict[str, Reference] = {
    "saliency": lambda m, n, x, b, k: captum.Saliency(m).attribute(x, target=k, abs=False),
    "input_x_gradient": lambda m, n, x, b, k: captum.InputXGradient(m).attribute(x, target=k),
    "integrated_gradients": lambda m, n, x, b, k: captum.IntegratedGradients(m).attribute(
        x, b, target=k, n_steps=STEPS
    ),
    "smoothgrad": _smoothgrad,
    "gradient_shap": _gradient_shap,
    "deeplift": lambda m, n, x, b, k: captum.DeepLift(_pairwise(m)).attribute(x, b, target=k),
    "guided_backprop": lambda m, n, x, b, k: captum.GuidedBackprop(m).attribute(x, target=k),
    "deconvolution": lambda m, n, x, b, k: captum.Deconvolution(m).attribute(x, target=k),
    "occlusion": _occlusion,
    "superpixels": _superpixels,
    "gradcam": _layer_gradcam,
    "guided_gradcam": lambda m, n, x, b, k: captum.GuidedGradCam(m, n.block("4a")).attribute(
        x, target=k, interpolate_mode="bilinear"
    ),
    "layer_conductance": lambda m, n, x, b, k: captum.LayerConductance(m, n.block("4a")).attribute(
        x, b, target=k, n_steps=POINTS
    ),
    "lrp": lambda m, n, x, b, k: zennit_relevance(m, x, k, "epsilon", (x, x)),  # which needs no box
}


def _pairwise(module: nn.Module) -> nn.Module:
    with_pairwise_pools(module.network)  # type: ignore[arg-type]
    return module


def reference(method: str, classifier: Classifier, head: str, x: Tensor, target: Target) -> Tensor:
    """Captum on a twin, in the network's precision; a contrast as the difference of two classes' attributions."""
    x = x.to(classifier.dtype)

    def of(index: int) -> Tensor:
        network = classifier.twin().network
        start = baseline("black", x, classifier.preprocessing)
        found = REFERENCES[method](Head(network, head), network, x.clone(), start, index)
        return found.detach()[0].float()

    return of(target.index) if target.minus is None else of(target.index) - of(target.minus)


@pytest.fixture
def small_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "BATCH", PASS)


def test_every_method_has_a_reference_and_says_what_a_reader_needs() -> None:
    assert set(REFERENCES) == set(METHODS)
    for method in METHODS.values():
        assert method.reading.endswith(".")
        assert method.cost() >= 1
        assert method.cost({"steps": 100} if "steps" in method.defaults else {}) >= method.cost()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("head", ["main", "aux1"])
@pytest.mark.usefixtures("small_passes")
def test_equals_captum_called_directly(method: str, head: str, exact: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(exact, x, method, head=head, target=3, layer=layer, options=FEW.get(method, {}))
    assert (result.method, result.head, result.target.index, result.layer) == (method, head, 3, layer)
    assert_close(result.values, reference(method, exact, head, x, result.target), 1e-5)
    assert result.values.abs().max() > 0
    assert torch.equal(result.heatmap, result.values.sum(0))
    assert hooks_on(exact.network) == 0


# Most methods agree as closely in float32; a path from a plain black image starts at a tie of all pixels.
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"integrated_gradients", "gradient_shap"}))
@pytest.mark.usefixtures("small_passes")
def test_equals_captum_in_float32_too(method: str, classifier: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(classifier, x, method, target=3, layer=layer, options=FEW.get(method, {}))
    assert_close(result.values, reference(method, classifier, "main", x, result.target), 1e-4)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_shap"])
def test_rounding_moves_a_path_from_black_by_less_than_a_hundredth(
    method: str, classifier: Classifier, exact: Classifier, x: Tensor
) -> None:
    truth = ask(exact, x, method, target=3).values
    assert_close(ask(classifier, x, method, target=3).values, truth, 0.01)


# Rules that bend the gradient are not linear in the target; these methods are.
LINEAR = ("saliency", "integrated_gradients", "gradcam", "occlusion", "layer_conductance", "smoothgrad")


@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.usefixtures("small_passes")
def test_a_contrast_is_the_difference_of_two_classes(method: str, exact: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(exact, x, method, target="2-5", layer=layer, head="aux2", options=FEW.get(method, {}))
    assert (result.target.index, result.target.minus) == (2, 5)
    assert_close(result.values, reference(method, exact, "aux2", x, result.target), 1e-5)
    logits = exact.heads_of(x).aux2
    assert logits is not None
    assert result.score == pytest.approx(float(logits[0, 2] - logits[0, 5]), rel=1e-4)


@pytest.mark.parametrize("kind", BRANCHES)
def test_gradcam_of_a_branch_is_captums_on_its_convolution(kind: str, classifier: Classifier, x: Tensor) -> None:
    network = classifier.twin().network
    unit = branch_unit(network.block("4d"), kind)
    expected = captum.LayerGradCam(network, unit).attribute(x, target=1)
    result = ask(classifier, x, "gradcam", target=1, layer=f"4d:{kind}")
    assert_close(result.heatmap, expected[0, 0].detach(), 1e-4)


@pytest.mark.parametrize("name", ["paper", "torchvision", "inception5h"])
@pytest.mark.usefixtures("exact", "small_passes")
def test_the_shortcut_behind_conv1_holds_for_every_variant(name: str, x: Tensor) -> None:
    """LRN between ReLU and pool, asymmetric padding and the other pool sizes, at the widths of the tiny network."""
    full, thin = variants.get_spec(name, 5), variants.tiny(5)
    stem = replace(thin.stem, conv1_padding=full.stem.conv1_padding, lrn=full.stem.lrn)
    checkpoint = random_classifier(replace(thin, stem=stem, pools=full.pools)).checkpoint
    variant = build(checkpoint, "cpu", "float64")
    result = ask(variant, x, "integrated_gradients", target=1, options=FEW["integrated_gradients"])
    assert_close(result.values, reference("integrated_gradients", variant, "main", x, result.target), 1e-5)
