"""Stimuli against Fourier transforms and counts; selectivity against analytic filters whose preference is known."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from inception_model.analysis import selectivity
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.images import patterns, stimuli
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import NODES, capture
from tests.compare import assert_close


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), float)[..., 0] / 255 - 0.5


@pytest.mark.parametrize(("orientation", "frequency"), [(0, 8), (90, 12), (45, 10 * 2**0.5), (90, 28)])
def test_a_grating_has_one_peak_in_fourier_space(orientation: float, frequency: float) -> None:
    pattern = grey(patterns.Grating(orientation, frequency, contrast=0.8).image())
    power = np.abs(np.fft.fft2(pattern)) ** 2
    power[0, 0] = 0
    row, column = np.unravel_index(power.argmax(), power.shape)
    cycles = [min(i, 224 - i) for i in (row, column)]
    assert np.hypot(*cycles) == pytest.approx(frequency, rel=0.02)
    # Orientation 0 has horizontal stripes: all its change is along rows.
    # A peak lies on whole cycles: of 90 degrees, two are less than one step at these frequencies.
    assert_close(np.rad2deg(np.arctan2(cycles[1], cycles[0])), orientation, 2 / 90, scale=90)
    assert power.max() * 2 / power.sum() > 0.95
    assert pattern.std() == pytest.approx(0.4 / 2**0.5, rel=0.03)


def test_colour_axes_keep_the_grey_level() -> None:
    for axis in ("red-green", "blue-yellow"):
        pixels = np.asarray(patterns.Grating(axis=axis).image(), float)  # type: ignore[arg-type]
        assert np.ptp(pixels.mean(axis=2)) < 1.5
        assert np.ptp(pixels[..., 2 if axis == "blue-yellow" else 0]) > 200


def test_dots_checkers_edges_and_patches_are_what_they_say() -> None:
    dots = grey(patterns.Dots(radius=10, spacing=56).image()) > 0.25
    assert dots.mean() == pytest.approx(np.pi * 100 / 56**2, rel=0.03)
    board = grey(patterns.Checkerboard(8).image())
    assert_close(board.mean(), 0.0, 0.01, scale=float(np.abs(board).max()))
    assert (board[:28, :28] == board[0, 0]).all()
    assert board[0, 28] == -board[0, 0]
    edge = grey(patterns.Edge(90).image())
    assert (edge[:, :100] < -0.4).all()
    assert (edge[:, -100:] > 0.4).all()
    soft = grey(patterns.Edge(90, blur=0.2).image())
    assert len(np.unique(soft)) > 50
    pixel = patterns.Patch(200, 0.5, 0.4).image().getpixel((5, 5))
    # A pixel is a whole number of 255 grey levels.
    assert_close(np.asarray(pixel) / 255, colorsys.hls_to_rgb(200 / 360, 0.4, 0.5), 1 / 255, scale=1.0)


@pytest.mark.parametrize("orientation", [0, 90, 225])
def test_arcs_lie_on_their_circle(orientation: float) -> None:
    """Their ink is length times width, and a circle fitted to it has their radius and lies behind their bulge."""
    arc = patterns.Arcs(orientation, radius=30, length=70, width=4, spacing=224)
    inked = grey(arc.image())
    inked = inked - inked[0, 0]  # of 255 grey levels none is the middle
    rows, columns = np.nonzero(inked > 0.25)
    # Round ends add a disc of the line's width.
    assert (inked * 2).sum() == pytest.approx(70 * 4 + np.pi * 4, rel=0.02)
    x, y = columns - 111.5, 111.5 - rows
    fit, *_ = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), x**2 + y**2, rcond=None)
    centre = fit[:2] / 2
    assert np.sqrt(fit[2] + (centre**2).sum()) == pytest.approx(30, rel=0.03)
    turned = np.rad2deg(np.arctan2(*-centre[::-1])) - orientation
    assert_close((turned + 180) % 360, 180.0, 3 / 360, scale=360)  # 359.9 degrees lie beside 0
    line = grey(patterns.Arcs(orientation, radius=1024, length=70, width=4, spacing=224).image()) > 0.25
    across = np.stack(np.nonzero(line)) - 111.5
    assert np.linalg.svd(across, compute_uv=False)[1] / np.sqrt(line.sum()) < 2
    assert np.array_equal(grey(patterns.Arcs(orientation, contrast=-1).image()) < -0.4,
                          grey(patterns.Arcs(orientation).image()) > 0.4)  # fmt: skip


def test_everything_shown_in_the_gallery_is_square_and_varied() -> None:
    for image in stimuli.SAMPLE_STIMULI.values():
        assert (image.mode, image.size) == ("RGB", (224, 224))
    assert len({image.tobytes() for image in stimuli.SAMPLE_STIMULI.values()}) == len(stimuli.SAMPLE_STIMULI)


@pytest.mark.parametrize("family", list(stimuli.FAMILIES))
def test_ranges_hold_for_every_parameter(family: str) -> None:
    for name, allowed in stimuli.FAMILIES[family].RANGES.items():
        row = stimuli.stimulus_set(family, name, 5)
        assert [value for value, _ in row] == sorted({value for value, _ in row})
        assert all(stimulus.image(32).size == (32, 32) for _, stimulus in row)
        with pytest.raises(ValueError, match="allowed"):
            stimuli.make(family, **{name: allowed.high + 1})
        with pytest.raises(ValueError, match="allowed"):
            stimuli.make(family, **{name: float("nan")})


def test_steps_are_octaves_where_ratios_count() -> None:
    values = np.asarray(stimuli.FAMILIES["grating"].RANGES["frequency"].values(8))
    assert (values[0], values[-1]) == (0.5, 56)
    octaves = np.diff(np.log2(values))
    assert_close(octaves, np.full_like(octaves, octaves.mean()), 1e-12)
    assert stimuli.FAMILIES["edge"].RANGES["orientation"].values(4) == (0, 90, 180, 270)


@pytest.mark.parametrize(
    "preprocessing", [Preprocessing(), Preprocessing(resize=224), Preprocessing(size=64, resize=80)]
)
def test_the_network_sees_exactly_the_stimulus_on_its_photo(preprocessing: Preprocessing) -> None:
    stimulus = patterns.Grating(30, 9, axis="red-green")
    photo = stimuli.as_photo(stimulus, preprocessing)
    assert photo.size == (preprocessing.resize, preprocessing.resize)
    wanted = np.asarray(stimulus.image(preprocessing.size))
    assert np.array_equal(np.asarray(preprocessing.crop(photo.image)), wanted)
    assert photo.name == "grating (orientation 30, frequency 9, phase 0, contrast 1, red-green)"
    assert stimuli.describe(patterns.Patch(28, 0.9, 0.5)) == "patch (hue 28, saturation 0.9, lightness 0.5)"
    assert photo.sha256 != stimuli.as_photo(patterns.Grating(31, 9), preprocessing).sha256


def test_what_stimuli_refuse() -> None:
    with pytest.raises(KeyError, match="allowed: grating, edge"):
        stimuli.make("plaid")
    with pytest.raises(TypeError, match="it has: orientation"):
        stimuli.make("grating", wobble=1)
    with pytest.raises(KeyError, match="allowed: hue"):
        stimuli.stimulus_set("patch", "axis")
    with pytest.raises(ValueError, match="allowed: grey"):
        patterns.Grating(axis="infrared")  # type: ignore[arg-type]
    assert len(stimuli.stimulus_set("grating", "orientation", [10, 20], frequency=4)) == 2


def gabor_energy(degrees: float, cycles: float, colour: tuple[float, float, float], side: int = 64) -> np.ndarray:
    """A quadrature pair of Gabor filters (2, 3, side, side), tuned to stripes of that orientation and frequency."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    angle = np.deg2rad(degrees)
    waves = np.exp(2j * np.pi * cycles * (x * np.sin(angle) + y * np.cos(angle)))
    window = np.exp(-(x**2 + y**2) / (2 * 0.12**2))
    pair = np.stack([(waves * window).real, (waves * window).imag])
    return pair[:, None] * np.asarray(colour)[None, :, None, None]


def test_selectivity_finds_what_analytic_filters_prefer() -> None:
    tuned = [(0.0, 4.0), (30.0, 8.0), (90.0, 8.0), (120.0, 16.0), (150.0, 4.0)]
    bank = [gabor_energy(*preference, (1, 1, 1)) for preference in tuned]
    bank.append(gabor_energy(60.0, 8.0, (1, -1, 0)))
    pictures = np.stack([np.asarray(p, float) for p in selectivity.grating_set(64)]).transpose(0, 3, 1, 2) / 255 - 0.5
    answers = [np.sqrt((np.tensordot(pictures, pair, axes=([1, 2, 3], [1, 2, 3])) ** 2).sum(axis=1)) for pair in bank]
    blind = np.zeros(len(pictures))
    # The last two: one that sees nothing, and one that gives plain grey more than any grating.
    shown = np.stack([*answers, blind, answers[0]], axis=1)
    found = selectivity.selectivity_from(shown, np.append(np.zeros(len(bank) + 1), 2 * answers[0].max()))
    assert_close(found.preferred_orientation[:5], [p[0] for p in tuned], 3 / 180, scale=180)
    assert found.preferred_frequency[:5].tolist() == [p[1] for p in tuned]
    assert (found.orientation[:5] > 0.5).all()
    assert (found.frequency[:5] > 0.5).all()
    assert (found.colour[:5] < 0.1).all()
    assert found.colour[5] > 0.9
    assert found.silent == 1
    assert found.not_selective.tolist() == [False] * (len(bank) + 1) + [True]
    for each in (found.orientation, found.preferred_orientation, found.preferred_frequency, found.colour):
        assert np.isnan(each[-2:]).all()


def test_indices_at_their_ends() -> None:
    degrees = (0, 45, 90, 135)
    index, preferred = selectivity.orientation_index(np.array([[1.0, 0], [1, 3], [1, 0], [1, 0]]), degrees)
    assert_close(index, [0, 1], 1e-9, scale=1.0)
    assert preferred[1] == pytest.approx(45)
    index, best = selectivity.peak_index(np.array([[2.0, 0], [2, 5], [2, 0]]), (1, 2, 4))
    assert index == pytest.approx([0, 1])
    assert best[1] == 2


def test_responses_are_the_means_of_a_captured_trace(tiny_classifier: Classifier) -> None:
    pictures = [stimulus.image() for _, stimulus in stimuli.stimulus_set("grating", "orientation", 3)]
    steps: list[tuple[int, int]] = []
    found = selectivity.node_responses(
        tiny_classifier, "4b", pictures, batch=2, progress=lambda done, total: steps.append((done, total))
    )
    x = torch.cat([tiny_classifier.preprocessing(p, Box(0, 0, 224, 224)) for p in pictures])
    trace = capture(tiny_classifier, x).block("4b")
    for kind in BRANCHES:
        theirs = trace.branches[kind].output.mean(dim=(2, 3)).numpy()
        assert_close(found[BRANCH_UNIT[kind]], theirs)
    assert steps == [(0, 3), (2, 3)]
    curve = selectivity.tuning_curve(tiny_classifier, "4b", "3x3", 1, "grating", "orientation", 3)
    assert_close(curve.responses, found["3x3"][:, 1])
    assert curve.best == curve.values[int(np.argmax(curve.responses))]
    with pytest.raises(IndexError, match="there is no channel 99"):
        selectivity.tuning_curve(tiny_classifier, "4b", "3x3", 99, "grating", "orientation", 3)
    assert not any(module._forward_hooks for module in tiny_classifier.network.modules())


def test_every_node_of_a_module_is_tuned(tiny_classifier: Classifier) -> None:
    tuning = selectivity.tune(tiny_classifier, "4d", "dots", "radius", [4, 20], spacing=64.0)
    shown = [patterns.Dots(4, 64), patterns.Dots(20, 64), stimuli.MIDDLE_GREY]
    x = torch.cat([tiny_classifier.preprocessing(s.image(), Box(0, 0, 224, 224)) for s in shown])
    trace = capture(tiny_classifier, x).block("4d")
    maps = selectivity.node_maps(tiny_classifier, "4d", shown[1].image())
    assert set(tuning.responses) == set(maps) == set(NODES)
    for node in NODES:
        theirs = trace.node(node).numpy()
        means = theirs.mean(axis=(2, 3))
        assert_close(tuning.responses[node], means)
        assert_close(maps[node], theirs[1])
        curve = tuning.curve(node, 1)
        assert_close([*curve.responses, curve.grey], means[:, 1], scale=float(np.linalg.norm(means)))
    assert (curve.parameter, curve.unit, curve.values) == ("radius", "pixels", (4, 20))


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_rank_effects_are_kruskal_and_walliss(groups: int) -> None:
    random = np.random.default_rng(groups)
    # Whole numbers: many are tied.
    drawn = [random.integers(0, 12, 40 + 30 * i) + (i == 0) * 2.0 for i in range(groups)]
    found = selectivity.rank_effect([np.append(group, np.nan) for group in drawn])
    count = sum(map(len, drawn))
    assert found.share * (count - 1) == pytest.approx(stats.kruskal(*drawn).statistic, rel=1e-9)
    assert found.limit * (count - 1) == pytest.approx(stats.chi2.ppf(0.95, groups - 1), rel=1e-3)
    shuffled = [random.permutation(np.concatenate(drawn)) for _ in range(2000)]
    ends = np.cumsum([len(group) for group in drawn])[:-1]
    by_chance = [selectivity.rank_effect(np.split(values, ends)).share for values in shuffled]
    assert np.mean(by_chance) == pytest.approx(found.chance, rel=0.1)
    assert np.quantile(by_chance, 0.95) == pytest.approx(found.limit, rel=0.15)


def test_rank_effects_at_their_ends() -> None:
    low, high = np.arange(5.0), np.arange(10.0, 15)
    assert_close(selectivity.rank_effect([low, low]).share, 0.0, 1e-12, scale=1.0)
    # Two groups that do not overlap: ranks 0..4 and 5..9, 62.5 of 82.5.
    assert selectivity.rank_effect([low, high]).share == pytest.approx(62.5 / 82.5)
    assert selectivity.rank_effect([np.zeros(9), np.ones(9)]).share == pytest.approx(1)
    for nothing in ([low], [low, np.full(3, np.nan)], [np.zeros(3), np.zeros(3)], []):
        assert np.isnan(selectivity.rank_effect(nothing).share)


def test_channels_that_answer_all_alike_prefer_nothing() -> None:
    """Rounding makes one of equal answers the largest; that is no preference."""
    rng = np.random.default_rng(0)
    equal = 3.7 * (1 + 1e-7 * rng.standard_normal((6, 4)))
    degrees = (0, 30, 60, 90, 120, 150)
    index, preferred = selectivity.orientation_index(equal, degrees)
    assert np.isnan(preferred).all()
    assert (index < 1e-6).all()
    assert np.isnan(selectivity.peak_index(equal, (1, 2, 4, 8, 16, 28))[1]).all()
    crossed = np.zeros((6, 2))
    crossed[[0, 3], 0] = crossed[[1, 4], 1] = 2.0, 2.0 * (1 + 1e-7)  # at right angles they cancel each other
    assert np.isnan(selectivity.orientation_index(crossed, degrees)[1]).all()
    turned = equal.copy()
    turned[3] *= 1.01
    assert selectivity.orientation_index(turned, degrees)[1] == pytest.approx(np.full(4, 90.0), rel=1e-2)
    assert (selectivity.peak_index(turned, (1, 2, 4, 8, 16, 28))[1] == 8).all()
