"""How maps are made, whatever the method: beside other threads, with progress, until told to stop, or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from inception_model.architecture import variants
from inception_model.attribution import METHODS, AttributionError, explain
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from tests.attribution.asking import ask, hooks_on
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier


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
        ({"method": "integrated_gradients", "options": {"steps": 0}}, "whole numbers from 2 to 1000"),
        ({"method": "integrated_gradients", "options": {"steps": "many"}}, "steps can't be 'many'"),
        ({"method": "integrated_gradients", "options": {"precision": "int4"}}, "allowed: network, bfloat16"),
        ({"method": "integrated_gradients", "options": {"stepps": 3}}, "has: rule, steps, error, limit, precision"),
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
