"""Pictures and numbers where the right answer is known: closed forms, filters, and the whole network's own words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from inception_model.images.samples import sample_photos
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from inception_model.visualization import visualizing
from inception_model.visualization.ascent import ascend
from inception_model.visualization.objectives import (
    Objective,
    channel,
    class_logit,
    difference,
    negative,
)
from inception_model.visualization.parametrisation import Phases, natural_magnitudes
from inception_model.visualization.settings import Settings
from inception_model.visualization.visualizing import visualize
from tests.compare import assert_close

QUICK = Settings(steps=6, size=64)


def _channel(classifier: Classifier, text: str, position: tuple[int, int] | None = None) -> Objective:
    return channel(classifier.checkpoint.spec, text, position)


def _with_conv1(classifier: Classifier, kernels: torch.Tensor) -> Classifier:
    """The classifier with these kernels (4, 3, 7, 7) as its first layer, without bias."""
    state = {name: value.clone() for name, value in classifier.checkpoint.network().state_dict().items()}
    state["conv1.conv.weight"], state["conv1.conv.bias"] = kernels, torch.zeros(len(kernels))
    return build(replace(classifier.checkpoint, state=state), "cpu")


def test_photos_are_as_strong_as_the_whole_network_says(tiny_classifier: Classifier) -> None:
    """The strongest position of a branch's channel, against the trace of every photo."""
    maps = {
        photo.name: capture(tiny_classifier, tiny_classifier.prepare(photo.image)).block("3b").node("3x3")[0]
        for photo in sample_photos()
    }
    number = int(maps["cat"].amax((1, 2)).argmax())
    peaks = {name: float(found[number].max()) for name, found in maps.items()}
    (found,) = visualize(tiny_classifier, [_channel(tiny_classifier, f"3b:3x3:{number}")], replace(QUICK, steps=0))
    assert found.natural is not None
    assert max(peaks.values()) > 0
    assert found.natural.photo == max(peaks, key=lambda name: peaks[name])
    assert_close(found.natural.strength, max(peaks.values()))
    assert found.ratios is not None
    assert_close(found.ratios, found.strengths / max(peaks.values()))


def test_a_picture_is_as_strong_as_the_network_says_of_the_file(bundled_classifier: Classifier) -> None:
    """What the 8-bit picture gets from the whole network, through the input that any photo of its size gets."""
    (found,) = visualize(bundled_classifier, [_channel(bundled_classifier, "3b:5x5:31")], QUICK)
    pixels = torch.from_numpy(found.pixels).permute(0, 3, 1, 2).float() / 255
    trace = capture(bundled_classifier, bundled_classifier.preprocessing.normalise(pixels))
    assert_close(found.strengths, trace.block("3b").node("5x5")[:, 31].flatten(1).amax(1))
    assert float(found.strengths[0]) > 0
    assert np.array_equal(np.asarray(found.image), found.pixels[0])


def test_a_linear_neuron_gives_the_known_optimum(tiny_classifier: Classifier) -> None:
    """conv1 before its ReLU is linear in its 7x7 pixels, each between 0 and 1: the best picture is 1 where the weight
    (by the normalised pixel) is positive and 0 elsewhere, and reaches the sum of the positive weights."""
    rough = torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(7))
    kernels = torch.nn.functional.avg_pool2d(rough, 3, stride=1)  # fine noise would take Fourier steps for ever
    classifier = _with_conv1(tiny_classifier, kernels)
    weights = kernels[2] / torch.tensor(classifier.preprocessing.std).view(3, 1, 1)
    mean = torch.tensor(classifier.preprocessing.mean).view(3, 1, 1)
    best = float(((weights > 0).float() - mean).mul(weights).sum())
    worst = float(((weights < 0).float() - mean).mul(weights).sum())
    neuron = _channel(classifier, "conv1:2", (8, 8))
    settings = Settings(steps=400, size=32, views=False)
    found, against = visualize(classifier, [neuron, negative(neuron)], settings, photos=())
    patch = slice(2 * 8 - 3, 2 * 8 + 4)
    for made, bound, sign in ((found, best, 1), (against, -worst, -1)):
        assert 0.97 * bound < float(made.strengths[0]) <= bound * (1 + 1e-5)
        pixels = made.pixels[0, patch, patch].transpose(2, 0, 1) / 255
        clear = weights.abs() > weights.abs().median()
        assert ((torch.from_numpy(pixels) > 0.5) == (sign * weights > 0))[clear].all()


def test_phases_reach_their_known_optimum() -> None:
    """A linear score of a picture with given magnitudes is largest where every phase is the weights' own."""
    size = 16
    weights = torch.randn(3, size, size, generator=torch.Generator().manual_seed(2))
    magnitudes = natural_magnitudes(size)
    phases = Phases(magnitudes, [torch.Generator().manual_seed(0)])
    spectrum = torch.fft.fft2(weights).abs()[:, :, : size // 2 + 1]
    twice = torch.full((size // 2 + 1,), 2.0)
    twice[0] = twice[-1] = 1
    # The four places that mirror onto themselves hold real numbers: their sign is free at the start and then stays.
    own = torch.zeros(size, size // 2 + 1, dtype=torch.bool)
    own[0, 0] = own[0, -1] = own[size // 2, 0] = own[size // 2, -1] = True
    fixed = (torch.fft.fft2(weights).real[:, :, : size // 2 + 1] * magnitudes)[:, own].sum()
    bound = float(((spectrum * magnitudes * twice)[:, ~own].sum() + fixed) / size**2)
    optimizer = torch.optim.NAdam([phases.parameter], lr=0.1)
    curve = ascend(phases, lambda _, __: (phases.plain() * weights).sum((1, 2, 3)), optimizer, 400)
    assert_close(curve[-1], [bound], 1e-3)
    assert float(curve.max()) <= bound * (1 + 1e-5)


@pytest.mark.parametrize("degrees", [0, 30, 75, 120])
def test_a_gabor_gives_back_its_orientation(tiny_classifier: Classifier, degrees: int) -> None:
    """The picture's spectrum lies in the direction of the filter's wave."""
    along, period = math.radians(degrees), 4.0
    rows, columns = torch.meshgrid(torch.arange(7) - 3.0, torch.arange(7) - 3.0, indexing="ij")
    wave = torch.cos(2 * math.pi / period * (columns * math.cos(along) + rows * math.sin(along)))
    gabor = wave * torch.exp(-(rows**2 + columns**2) / 8)
    kernels = torch.zeros(4, 3, 7, 7)
    kernels[1] = (gabor - gabor.mean()) / 3
    classifier = _with_conv1(tiny_classifier, kernels)
    (found,) = visualize(classifier, [_channel(classifier, "conv1:1")], Settings(steps=48, size=64), photos=())
    grey = found.pixels[0].mean(2)
    window = np.hanning(64)
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window[:, None] * window)) ** 2
    down, across = np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64), indexing="ij")
    strong = spectrum * (np.hypot(down, across) > 0.1)
    # Orientation repeats after 180 degrees: the mean of doubled angles, weighted by power.
    mean = np.sum(strong * np.exp(2j * np.arctan2(down, across)))
    apart = (np.degrees(np.angle(mean)) / 2 - degrees + 90) % 180 - 90
    assert abs(apart) < 8
    assert abs(mean) > 0.6 * strong.sum()  # most of its power lies in that direction; 0 without any


def test_a_dead_unit_starts(tiny_classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bias that keeps all positions below zero at the start: redirected gradients get it going, plain ones never."""
    state = {name: value.clone() for name, value in tiny_classifier.checkpoint.network().state_dict().items()}
    state["3a.3x3.conv.bias"][2] = -1.0
    state["3a.3x3.conv.weight"][2] *= 2
    classifier = build(replace(tiny_classifier.checkpoint, state=state), "cpu")
    objective, settings = _channel(classifier, "3a:3x3:2"), Settings(steps=32, size=64)
    (found,) = visualize(classifier, [objective], settings, photos=())
    assert float(found.curve[0, 0]) == 0
    assert float(found.curve[-1, 0]) > 0
    assert not found.grey
    monkeypatch.setattr(visualizing, "REDIRECTED_STEPS", 0)
    (dead,) = visualize(classifier, [objective], settings, photos=())
    assert not dead.curve.any()
    assert dead.grey


def test_scores_are_sums_of_what_the_network_says(tiny_classifier: Classifier) -> None:
    """Without views and steps: differences, directions and classes, against the trace of the picture itself."""
    spec, settings = tiny_classifier.checkpoint.spec, Settings(steps=1, size=224, views=False)
    kinds = [
        difference(_channel(tiny_classifier, "5a:1x1:1"), _channel(tiny_classifier, "5a:1x1:2")),
        class_logit(spec, "aux2", Target(3, 5)),
        _channel(tiny_classifier, "4b:3x3:4", (2, 5)),
    ]
    found = visualize(tiny_classifier, kinds, settings, photos=())
    start = visualizing._Batch(tiny_classifier, kinds[:1], settings, None).parametrisation.pictures().detach()
    x = tiny_classifier.preprocessing.normalise(start)
    trace = capture(tiny_classifier, x)
    before: dict[str, torch.Tensor] = {}
    unit = tiny_classifier.network.block("5a").unit("1x1")
    with torch.no_grad():
        for name, output in tiny_classifier.network.trunk(x):
            before[name] = output
        maps = unit.conv(tiny_classifier.network.get_submodule("pool_4e")(before["4e"]))
    assert_close(found[0].curve, [[float((maps[0, 1] - maps[0, 2]).mean())]], 1e-4)
    logits = trace.logits("aux2")[0]
    assert_close(found[1].curve, [[float(logits[3] - logits[5])]], 1e-4)
    assert_close(found[2].curve[0, 0], float(trace.block("4b").node("3x3")[0, 4, 2, 5]), 1e-4)
