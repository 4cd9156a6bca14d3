"""Every attribution method beside captum, LRP beside zennit, the identities they promise, and how they stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import captum.attr as captum
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet, branch_unit
from inception_model.architecture.spec import BRANCHES
from inception_model.attribution import METHODS, Attribution, AttributionError, explain
from inception_model.attribution.pairwise import PairwiseMaxPool, with_pairwise_pools
from inception_model.images.baselines import BASELINES, baseline
from inception_model.inference import classifier as classifier_module
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Cancelled
from tests.attribution.zennit_lrp import zennit_relevance
from tests.compare import assert_close, relative_norm
from tests.random_networks import noise_images, random_classifier

# Small options: the equalities hold for any.
OPTIONS: dict[str, dict[str, object]] = {
    "integrated_gradients": {"steps": 20},
    "layer_conductance": {"steps": 13},
    "smoothgrad": {"samples": 20, "sigma": 0.1, "seed": 5},
    "gradient_shap": {"samples": 20, "sigma": 0.1, "seed": 5},
    "occlusion": {"window": 80, "stride": 48},
    "superpixels": {"segments": 9, "compactness": 30},
}


class Head(nn.Module):
    """Logits of one head, written apart from the library's own wrapper."""

    def __init__(self, network: GoogLeNet, head: str) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self.network.forward_heads(x), self.head)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier(variants.tiny(7))


@pytest.fixture(scope="module")
def exact(classifier: Classifier) -> Iterator[Classifier]:
    """The same network in float64. At a ReLU's kink or between equal values of a max pool, rounding in float32 flips
    single gradients, in captum's own results as well; only without rounding can two ways be compared closely."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(classifier_module.DTYPES, "float64", torch.float64)
        yield classifier_module.build(classifier.checkpoint, "cpu", "float64")


@pytest.fixture(scope="module")
def x() -> Tensor:
    # Smooth noise: superpixels of it are patches, as in a photo. A little of the fine kind avoids ties in max pools.
    coarse = nn.functional.interpolate(noise_images(1)[:, :, :14, :14], scale_factor=16, mode="bilinear")
    return coarse + 0.1 * noise_images(1, seed=1)


def ask(classifier: Classifier, x: Tensor, method: str, **more: object) -> Attribution:
    more.setdefault("options", OPTIONS.get(method, {}))
    return explain(classifier, x, method, **more)  # type: ignore[arg-type]


def hooks_on(network: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in network.modules() for kind in kinds)


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
    return tunnel.attribute(x, nt_samples=20, nt_samples_batch_size=17, stdevs=sigma, abs=False, target=k)


def _gradient_shap(module: nn.Module, _: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    torch.manual_seed(5)
    np.random.seed(5)
    sigma = 0.1 * float(x.max() - x.min())
    return captum.GradientShap(module).attribute(x, b, n_samples=20, stdevs=sigma, target=k)


def _layer_gradcam(module: nn.Module, network: GoogLeNet, x: Tensor, b: Tensor, k: int) -> Tensor:
    return captum.LayerGradCam(module, network.block("4a")).attribute(x, target=k, attr_dim_summation=False)


REFERENCES: dict[str, Reference] = {
    "saliency": lambda m, n, x, b, k: captum.Saliency(m).attribute(x, target=k, abs=False),
    "input_x_gradient": lambda m, n, x, b, k: captum.InputXGradient(m).attribute(x, target=k),
    "integrated_gradients": lambda m, n, x, b, k: captum.IntegratedGradients(m).attribute(x, b, target=k, n_steps=20),
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
        x, b, target=k, n_steps=13
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


def test_every_method_has_a_reference_and_says_what_a_reader_needs() -> None:
    assert set(REFERENCES) == set(METHODS)
    for method in METHODS.values():
        assert method.reading.endswith(".")
        assert method.cost() >= 1
        assert method.cost({"steps": 100} if "steps" in method.defaults else {}) >= method.cost()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("head", ["main", "aux1"])
def test_equals_captum_called_directly(method: str, head: str, exact: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(exact, x, method, head=head, target=3, layer=layer)
    assert (result.method, result.head, result.target.index, result.layer) == (method, head, 3, layer)
    assert_close(result.values, reference(method, exact, head, x, result.target), 1e-5)
    assert result.values.abs().max() > 0
    assert torch.equal(result.heatmap, result.values.sum(0))
    assert hooks_on(exact.network) == 0


# Most methods agree as closely in float32; a path from a plain black image starts at a tie of all pixels.
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"integrated_gradients", "gradient_shap"}))
def test_equals_captum_in_float32_too(method: str, classifier: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(classifier, x, method, target=3, layer=layer)
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
def test_a_contrast_is_the_difference_of_two_classes(method: str, exact: Classifier, x: Tensor) -> None:
    layer = "4a" if "layer" in METHODS[method].needs else None
    result = ask(exact, x, method, target="2-5", layer=layer, head="aux2")
    assert (result.target.index, result.target.minus) == (2, 5)
    assert_close(result.values, reference(method, exact, "aux2", x, result.target), 1e-5)
    logits = exact.heads_of(x).aux2
    assert logits is not None
    assert result.score == pytest.approx(float(logits[0, 2] - logits[0, 5]), rel=1e-4)


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


@pytest.mark.parametrize("kind", BRANCHES)
def test_gradcam_of_a_branch_is_captums_on_its_convolution(kind: str, classifier: Classifier, x: Tensor) -> None:
    network = classifier.twin().network
    unit = branch_unit(network.block("4d"), kind)
    expected = captum.LayerGradCam(network, unit).attribute(x, target=1)
    result = ask(classifier, x, "gradcam", target=1, layer=f"4d:{kind}")
    assert_close(result.heatmap, expected[0, 0].detach(), 1e-4)


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


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_shap", "occlusion", "deeplift", "guided_gradcam"])
def test_threads_that_share_a_classifier_get_what_they_get_alone(
    method: str, classifier: Classifier, x: Tensor
) -> None:
    images = [noise_images(1, seed) for seed in range(3)]
    alone = [ask(classifier, image, method).values for image in images]
    barrier = threading.Barrier(4)

    def work(index: int) -> Tensor:
        barrier.wait()
        return ask(classifier, images[index % 3], "saliency" if index == 3 else method).values

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(4)))
    assert_close(torch.stack(together[:3]), torch.stack(alone))
    assert hooks_on(classifier.network) == 0


LONG = ("integrated_gradients", "smoothgrad", "gradient_shap", "occlusion", "superpixels", "layer_conductance")


@pytest.mark.parametrize("method", LONG)
def test_a_long_method_tells_its_progress_and_stops_when_told(method: str, classifier: Classifier, x: Tensor) -> None:
    seen: list[tuple[int, int]] = []
    ask(classifier, x, method, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) >= 3
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]

    cancel, calls = threading.Event(), []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        cancel.set()

    before = torch.get_rng_state()
    with pytest.raises(Cancelled):
        ask(classifier, x, method, progress=stop, cancel=cancel)
    assert len(calls) == 1
    assert hooks_on(classifier.network) == 0
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("method", METHODS)
def test_nothing_stays_hooked_after_an_exception(method: str, classifier: Classifier, x: Tensor) -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError("the page went away")

    with pytest.raises(RuntimeError, match="went away"):
        ask(classifier, x, method, progress=fail)
    assert hooks_on(classifier.network) == 0
    assert not any(parameter.requires_grad for parameter in classifier.network.parameters())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "magic"}, "unknown method 'magic'; allowed: saliency"),
        ({"method": "saliency", "head": "aux2"}, "never trained.*allowed: aux1, main"),
        ({"method": "saliency", "head": "neck"}, "is not there"),
        ({"method": "saliency", "target": "99"}, "allowed: 0 to 6"),
        ({"method": "saliency", "target": "thing"}, "could be"),
        ({"method": "saliency", "layer": "5b"}, "takes no layer"),
        ({"method": "gradcam", "layer": "6z"}, "unknown module '6z'.*3a"),
        ({"method": "gradcam", "layer": "4d", "head": "aux1"}, "does not depend on 4d; allowed: 3a, 3b, 4a"),
        ({"method": "guided_gradcam", "layer": "4d:5x5:0"}, "not the single channel"),
        ({"method": "integrated_gradients", "baseline": "pink"}, "allowed: black, mean, blur, noise"),
        ({"method": "integrated_gradients", "options": {"steps": 0}}, "whole numbers from 2 to 500"),
        ({"method": "integrated_gradients", "options": {"steps": "many"}}, "steps can't be 'many'"),
        ({"method": "integrated_gradients", "options": {"precision": "int4"}}, "allowed: network, bfloat16"),
        ({"method": "integrated_gradients", "options": {"stepps": 3}}, "this method has: steps, precision"),
        ({"method": "occlusion", "options": {"window": 20, "stride": 40}}, "leaves gaps"),
    ],
)
def test_refusals_say_what_is_allowed(arguments: dict[str, str], words: str, x: Tensor) -> None:
    half_trained = random_classifier(variants.tiny(7), trained=("aux1", "main"))
    with pytest.raises((AttributionError, ValueError, KeyError), match=words):
        explain(half_trained, x, **arguments)  # type: ignore[arg-type]


def test_one_image_at_a_time(classifier: Classifier) -> None:
    with pytest.raises(AttributionError, match=r"\(2, 3, 224, 224\)"):
        explain(classifier, noise_images(2), "saliency")


@pytest.mark.parametrize("name", ["paper", "torchvision", "inception5h"])
@pytest.mark.usefixtures("exact")
def test_the_shortcut_behind_conv1_holds_for_every_variant(name: str, x: Tensor) -> None:
    """LRN between ReLU and pool, asymmetric padding and the other pool sizes, at the widths of the tiny network."""
    full, thin = variants.get_spec(name, 5), variants.tiny(5)
    stem = replace(thin.stem, conv1_padding=full.stem.conv1_padding, lrn=full.stem.lrn)
    checkpoint = random_classifier(replace(thin, stem=stem, pools=full.pools)).checkpoint
    variant = classifier_module.build(checkpoint, "cpu", "float64")
    result = ask(variant, x, "integrated_gradients", target=1)
    assert_close(result.values, reference("integrated_gradients", variant, "main", x, result.target), 1e-5)


def test_bfloat16_steps_stay_near_float32(classifier: Classifier, x: Tensor) -> None:
    full = ask(classifier, x, "integrated_gradients", baseline="blur").values
    rough = ask(classifier, x, "integrated_gradients", baseline="blur", options={"steps": 13, "precision": "bfloat16"})
    assert not torch.equal(rough.values, full)
    # Random weights make for a rough surface with many ReLUs on the edge: near means the same map, not the same digits.
    assert float(torch.corrcoef(torch.stack([rough.values.flatten(), full.flatten()]))[0, 1]) > 0.9
    assert all(parameter.dtype == torch.float32 for parameter in classifier.network.parameters())
