"""The registry of fills: what every name means, says and refuses."""

from __future__ import annotations

import pytest
import torch

from inception_model.analysis.ablation import (
    FILLS,
    REFERENCE_FILLS,
    Ablation,
    Fill,
    channel_means,
    fill_means,
    find_fill,
)
from inception_model.architecture.variants import tiny
from inception_model.images.baselines import BASELINES, baseline
from inception_model.inference.classifier import Classifier
from inception_model.report import Settings, settings
from tests.compare import assert_close
from tests.random_networks import noise_images

MEANINGS: dict[str, tuple[str | None, str]] = {
    "zero": (None, "zero"),
    "mean-colour": ("mean", "mean colour"),
    "mean-blur": ("blur", "blurred photo"),
}
"""Fill -> the baseline whose channel means it is, and what its words must name."""


def test_every_fill_names_its_baseline_and_says_what_it_does() -> None:
    assert {name: kind.baseline for name, kind in FILLS.items()} == {name: row[0] for name, row in MEANINGS.items()}
    for name, kind in FILLS.items():
        assert kind.baseline is None or kind.baseline in BASELINES
        assert MEANINGS[name][1] in kind.words
        assert kind.of_channels() == ("zero" if kind.baseline is None else f"their {kind.words}")
    assert len({kind.words for kind in FILLS.values()}) == len(FILLS)
    assert FILLS["mean-colour"].of_channels("dog.jpg") == "their mean over dog.jpg"


@pytest.mark.parametrize("fill", FILLS)
def test_means_are_those_over_the_baseline(tiny_classifier: Classifier, fill: Fill) -> None:
    x, start = noise_images(2), MEANINGS[fill][0]
    found = fill_means(tiny_classifier, x, fill)
    if start is None:
        assert found is None
        return
    assert found is not None
    wanted = channel_means(tiny_classifier, baseline(start, x, tiny_classifier.preprocessing))
    assert list(found) == list(tiny_classifier.network.spec.module_names)
    for name, values in found.items():
        assert_close(values, wanted[name])


@pytest.mark.parametrize("fill", FILLS)
def test_a_reference_stands_for_the_mean_colour_alone(tiny_classifier: Classifier, fill: Fill) -> None:
    x, reference = noise_images(2), noise_images(1, seed=9)
    assert REFERENCE_FILLS == ("mean-colour",)
    if fill in REFERENCE_FILLS:
        found, wanted = fill_means(tiny_classifier, x, fill, reference), channel_means(tiny_classifier, reference)
        assert found is not None
        for name, values in found.items():
            assert_close(values, wanted[name])
    else:
        with pytest.raises(ValueError, match=f"a reference goes with the fill mean-colour; got {fill}"):
            fill_means(tiny_classifier, x, fill, reference)


def test_the_three_fills_put_in_different_values(tiny_classifier: Classifier) -> None:
    x = noise_images(1)
    colour, blur = (fill_means(tiny_classifier, x, fill) for fill in ("mean-colour", "mean-blur"))
    assert colour is not None
    assert blur is not None
    assert all(bool(colour[name].any()) and not torch.equal(colour[name], blur[name]) for name in colour)


def test_a_former_name_is_read_in_a_report_s_manifest() -> None:
    assert find_fill("mean", settings.FORMER_FILLS) == "mean-blur"
    assert Settings(fill="mean") == Settings(fill="mean-blur")  # type: ignore[arg-type]


def test_unknown_fills_are_refused_with_the_list() -> None:
    wanted = "unknown fill '{}'; allowed: zero, mean-colour, mean-blur"
    with pytest.raises(ValueError, match=wanted.format("grey")):
        find_fill("grey", settings.FORMER_FILLS)
    with pytest.raises(ValueError, match=wanted.format("grey")):
        Settings(fill="grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=wanted.format("mean")):
        Ablation.parse(["4d"], tiny(), "mean")  # in the library the bare word never said over which image
