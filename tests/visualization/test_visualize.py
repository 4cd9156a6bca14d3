"""Pictures of units: repeatable, better than photos at what they were made for, and right where the answer is known."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.variants import tiny
from inception_model.images.samples import sample_photo, sample_photos
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from inception_model.progress import Cancelled
from inception_model.visualization import visualizing
from inception_model.visualization.objectives import (
    Objective,
    channel,
    class_logit,
    difference,
    direction,
    negative,
)
from inception_model.visualization.places import Place, UnitError
from inception_model.visualization.settings import Settings
from inception_model.visualization.visualizing import visualize
from tests.compare import assert_close, relative_norm
from tests.random_networks import SMALL, random_classifier, with_small_input

QUICK = Settings(steps=6, size=64)


def _channel(classifier: Classifier, text: str, position: tuple[int, int] | None = None) -> Objective:
    return channel(classifier.checkpoint.spec, text, position)


def test_the_same_seed_gives_the_same_picture_to_the_bit(tiny_classifier: Classifier) -> None:
    objectives = [_channel(tiny_classifier, "3a:3x3:1"), _channel(tiny_classifier, "conv2:2")]
    first, again = (visualize(tiny_classifier, objectives, QUICK, photos=()) for _ in range(2))
    other = visualize(tiny_classifier, objectives, replace(QUICK, seed=1), photos=())
    for one, same, different in zip(first, again, other, strict=True):
        assert np.array_equal(one.pixels, same.pixels)
        assert np.array_equal(one.curve, same.curve)
        assert not np.array_equal(one.pixels, different.pixels)
    assert [each.objective for each in first] == objectives


def test_a_picture_does_not_depend_on_its_batch(tiny_classifier: Classifier) -> None:
    objectives = [_channel(tiny_classifier, f"3a:3x3:{number}") for number in range(5)]
    together = visualize(tiny_classifier, objectives, QUICK, photos=())
    for objective, batched in zip(objectives, together, strict=True):
        (alone,) = visualize(tiny_classifier, [objective], QUICK, photos=())
        assert_close(batched.curve, alone.curve, 1e-3)
        assert np.abs(batched.pixels.astype(int) - alone.pixels).mean() < 1
    pieces = visualize(tiny_classifier, objectives, replace(QUICK, batch=2), photos=())
    assert [each.objective for each in pieces] == objectives


@pytest.mark.parametrize("text", ["conv1:1", "3b:5x5_reduce:0", "4b:pool:1", "5a:1x1:3"])
def test_with_random_weights_it_grows_too_and_the_ratio_is_told(tiny_classifier: Classifier, text: str) -> None:
    (found,) = visualize(tiny_classifier, [_channel(tiny_classifier, text)], Settings(steps=24, size=64))
    assert found.curve.shape == (24, 1)
    assert found.curve[-4:].mean() > found.curve[:4].mean()
    assert found.natural is not None
    assert found.natural.photo in {photo.name for photo in sample_photos()}
    if found.ratios is None:
        assert found.natural.strength <= 0
    else:
        assert f"{float(found.ratios.max()):.1f} times what photos do" in found.words()


def test_every_kind_of_objective_grows(tiny_classifier: Classifier) -> None:
    classifier = with_small_input(tiny_classifier)  # a head's pictures are as large as its photos
    spec = classifier.checkpoint.spec
    one, other = _channel(tiny_classifier, "4b:1x1:1"), _channel(tiny_classifier, "4b:1x1:2")
    kinds = [
        direction(spec, Place.parse("4b:1x1", spec), {0: 1.0, 3: -0.5}),
        difference(one, other),
        difference(one, _channel(tiny_classifier, "3b:5x5:1")),
        negative(one),
        _channel(tiny_classifier, "4b:1x1:1", (1, 2)),
        class_logit(spec, "aux1", Target(2)),
        class_logit(spec, "main", Target(2, 4)),
    ]
    found = visualize(classifier, kinds, Settings(steps=16), photos=[sample_photo("cat")])
    for made in found:
        assert made.curve[-3:].mean() > made.curve[:3].mean(), made.objective.name
        assert made.natural is not None
        assert made.pixels.shape[1] == (SMALL if made.objective.places[0].is_head else 128)


def test_diversity_makes_pictures_less_alike(bundled_classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, settings = _channel(bundled_classifier, "3b:3x3:5"), Settings(steps=40, size=64, pictures=3)

    def alike() -> tuple[float, np.ndarray]:
        (made,) = visualize(bundled_classifier, [objective], settings, photos=())
        pixels = torch.from_numpy(made.pixels).permute(0, 3, 1, 2).float() / 255
        trace = capture(bundled_classifier, bundled_classifier.preprocessing.normalise(pixels))
        maps = trace.block("3b").node("3x3").flatten(2).numpy()
        grams = (maps @ maps.transpose(0, 2, 1)).reshape(3, -1)
        return float(np.corrcoef(grams)[np.triu_indices(3, 1)].mean()), made.strengths

    apart, strengths = alike()
    monkeypatch.setattr(visualizing, "DIVERSITY", 0.0)
    together, stronger = alike()
    assert apart < together - 0.05
    assert (strengths > 0.3 * stronger).all()


def test_a_photo_is_where_a_dream_starts(tiny_classifier: Classifier) -> None:
    photo = sample_photo("cat").image
    objective = _channel(tiny_classifier, "3b:3x3:1")
    (still,) = visualize(tiny_classifier, [objective], Settings(steps=0, size=96), start=photo, photos=())
    side = min(photo.size)
    left, top = ((edge - side) // 2 for edge in photo.size)
    wanted = photo.crop((left, top, left + side, top + side)).resize((96, 96))
    assert relative_norm(still.pixels[0], np.asarray(wanted)) < 0.03
    assert relative_norm(still.pixels[0], np.asarray(wanted)[:, ::-1]) > 0.1
    (dream,) = visualize(tiny_classifier, [objective], Settings(steps=12, size=96), start=photo, photos=())
    assert dream.strengths[0] > still.strengths[0]
    with pytest.raises(ValueError, match="phases alone cannot start from a photo"):
        visualize(tiny_classifier, [objective], Settings(maco=True), start=photo)


def test_phases_alone_grow_too(tiny_classifier: Classifier) -> None:
    objective = _channel(tiny_classifier, "3b:3x3:1")
    (made,) = visualize(tiny_classifier, [objective], Settings(steps=32, size=64, maco=True), photos=())
    assert made.curve[-4:].mean() > made.curve[:4].mean()


def test_cancel_ends_within_a_step(tiny_classifier: Classifier) -> None:
    cancel, done = threading.Event(), []

    def progress(step: int, total: int) -> None:
        done.append((step, total))
        if step == 3:
            cancel.set()

    objectives = [_channel(tiny_classifier, "3a:3x3:1"), _channel(tiny_classifier, "3a:1x1:1")]
    with pytest.raises(Cancelled):
        visualize(tiny_classifier, objectives, QUICK, photos=(), progress=progress, cancel=cancel)
    assert done == [(0, 12), (1, 12), (2, 12), (3, 12)]


def test_progress_and_previews_follow_the_steps(tiny_classifier: Classifier) -> None:
    objectives = [_channel(tiny_classifier, "3a:3x3:1"), _channel(tiny_classifier, "3a:1x1:1")]
    done, seen = [], []
    found = visualize(
        tiny_classifier, objectives, replace(QUICK, steps=9), photos=(),
        progress=lambda step, total: done.append((step, total)),
        preview=lambda step, pixels: seen.append((step, pixels)),
    )  # fmt: skip
    assert done[-1] == (18, 18)
    assert [step for step, _ in done] == sorted(step for step, _ in done)
    assert [step for step, _ in seen] == [0, 8, 0, 8]
    assert seen[0][1].shape == found[0].pixels.shape
    assert relative_norm(seen[1][1], found[0].pixels) < relative_norm(seen[0][1], found[0].pixels)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4d:5x5:4", r"unknown channel 4 in 4d:5x5; it has channels 0 to 3"),
        ("4d:5x5", r"has 4 channels: name one, 4d:5x5:0 to 4d:5x5:3"),
        ("9z:5x5:1", r"the modules 3a, 3b"),
        ("4d:5x5:-1", r"4d:5x5"),
        ("4d:7x7:1", r"4d has 4d:1x1, 4d:3x3"),
        ("", r"the modules 3a, 3b"),
    ],
)
def test_an_unknown_unit_is_told_what_exists(tiny_classifier: Classifier, text: str, said: str) -> None:
    with pytest.raises(UnitError, match=said):
        _channel(tiny_classifier, text)


def test_a_position_off_the_map_is_told_where_the_map_ends(tiny_classifier: Classifier) -> None:
    with pytest.raises(UnitError, match="rows 0 to 3 and columns 0 to 3"):
        visualize(tiny_classifier, [_channel(tiny_classifier, "4d:5x5:0", (4, 0))], QUICK, photos=())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": -1}, "at least 0 steps"),
        ({"size": 8}, "32 to 1024"),
        ({"pictures": 17}, "1 to 16"),
        ({"batch": 0}, "at least one"),
        ({"seed": -1}, "0 or larger"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_unit_that_no_photo_raises_has_no_ratio() -> None:
    classifier = random_classifier(tiny())
    network: GoogLeNet = classifier.network
    with torch.no_grad():
        network.block("3a").unit("1x1").conv.bias[0] = -1e3
    (made,) = visualize(classifier, [_channel(classifier, "3a:1x1:0")], QUICK)
    assert made.ratios is None
    assert "none of them raises it above zero" in made.words()
    assert made.as_dict()["ratios"] is None


def test_a_head_that_takes_one_size_only_says_so() -> None:
    spec = tiny()
    fixed = replace(spec, aux=tuple(replace(aux, pool="avg5x3") for aux in spec.aux))
    objective = class_logit(fixed, "aux1", Target(1))
    with pytest.raises(ValueError, match="224 pixels only; got 64"):
        visualize(random_classifier(fixed), [objective], replace(QUICK, size=64), photos=())


def test_half_precision_networks_make_pictures_too(tiny_classifier: Classifier) -> None:
    """The parameters stay float32; the picture is nearly the one of the float32 network."""
    objective, settings = _channel(tiny_classifier, "3b:3x3:1"), Settings(steps=8, size=64)
    half = build(tiny_classifier.checkpoint, "cpu", "bfloat16")
    (made,) = visualize(half, [objective], settings, photos=())
    (exact,) = visualize(tiny_classifier, [objective], settings, photos=())
    assert made.curve[-1, 0] > made.curve[0, 0]
    assert made.curve.dtype == np.float32
    assert relative_norm(made.curve, exact.curve) < 0.05
