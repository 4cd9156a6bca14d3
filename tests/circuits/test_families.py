"""Families against filters whose preference is known, p values against scipy, factors against planted ones."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy import signal, stats

from inception_model.analysis import selectivity
from inception_model.architecture.network import ConvUnit
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.architecture.variants import tiny
from inception_model.circuits import families
from inception_model.circuits.factors import (
    Factor,
    Factors,
    filter_colour,
    filter_frequency,
    first_factors,
    spearman,
)
from inception_model.circuits.verdict import PAPER, beside_the_paper, concentrated, count_tests, factors_in_words
from inception_model.cli import main
from inception_model.cli import specialisation as command
from inception_model.images.patterns import Arcs
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier
from tests.compare import assert_close
from tests.random_networks import random_classifier

SMALL = 72
"""Side of the pictures here: what their numbers call a pixel is less than half of one."""


def gabor(colour: tuple[float, float, float], degrees: float = 90.0, cycles: float = 8.0) -> np.ndarray:
    """A filter (3, 37, 37) for stripes of that orientation."""
    y, x = np.mgrid[-18:19, -18:19] / SMALL
    angle = np.deg2rad(degrees)
    waves = np.cos(2 * np.pi * cycles * (x * np.sin(angle) + y * np.cos(angle)))
    window = np.exp(-(x**2 + y**2) / (2 * 0.09**2))
    even = waves * window - window * (waves * window).sum() / window.sum()
    return even[None] * np.asarray(colour)[:, None, None]


def arc_filter(turn: float, radius: float) -> np.ndarray:
    """An arc on what is even otherwise (3, 23, 23), its sum zero."""
    shown = np.asarray(Arcs(turn, radius, spacing=224.0).image(SMALL), float)[..., 0] / 255
    cut = shown[SMALL // 2 - 11 : SMALL // 2 + 12, SMALL // 2 - 11 : SMALL // 2 + 12]
    return np.repeat((cut - cut.mean())[None], 3, axis=0)


def spot_filter() -> np.ndarray:
    """A light middle in a dark surround, round and of sum zero."""
    y, x = np.mgrid[-10:11, -10:11]
    near, far = (np.exp(-(x**2 + y**2) / (2 * sigma**2)) / sigma**2 for sigma in (1.8, 3.6))
    difference = near - far
    return np.repeat((difference - difference.mean())[None], 3, axis=0)


def answer(pictures: np.ndarray, filters: np.ndarray, sharpness: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and peak of a rectified filter; what lies below `sharpness` of its strongest answer counts as nothing."""
    grey = (filters == filters[:1]).all()  # then one convolution does for the three
    seen = [(pictures.sum(axis=1), filters[0])] if grey else [(pictures[:, c], filters[c]) for c in range(3)]
    maps = sum(signal.oaconvolve(each, kernel[None, ::-1, ::-1], mode="valid", axes=(1, 2)) for each, kernel in seen)
    maps = np.maximum(maps - sharpness * maps.max(), 0)
    maps[maps < 1e-9 * maps.max()] = 0  # a transform's rounding
    return maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))


@pytest.fixture(scope="module")
def judged() -> families.Families:
    """Eight channels: an upright and a slanted grating, a colour, an arc, a spot, one for grey, a blind one, and one
    that gives everything the same."""
    shown = np.stack([np.asarray(p, float) for p in families.picture_set(SMALL)]).transpose(0, 3, 1, 2) / 255 - 0.5
    told = [
        answer(shown, gabor((1, 1, 1))),
        answer(shown, gabor((1, 1, 1), 30, 16)),
        answer(shown, gabor((1, -1, 0))),
        answer(shown, arc_filter(60, 20), 0.5),
        answer(shown, spot_filter()),
    ]
    contrast = shown.std(axis=(1, 2, 3))
    told += [(contrast.max() - contrast,) * 2, (np.zeros(len(shown)),) * 2, (np.ones(len(shown)),) * 2]
    return families.families_from("4d", families.Answers(*(np.stack(side, axis=1) for side in zip(*told, strict=True))))


@pytest.mark.parametrize(
    ("channel", "wanted", "foreign"),
    [
        (0, {"orientation", "black-white"}, {"curves", "colour", "centre-surround", "high frequency"}),
        (1, {"orientation", "black-white", "high frequency"}, {"curves", "colour", "centre-surround"}),
        (2, {"colour"}, {"black-white", "curves"}),
        (3, {"curves"}, {"centre-surround"}),
        (4, {"centre-surround", "black-white"}, {"curves", "orientation"}),
        (5, {"not selective"}, set(families.FAMILIES)),
        (6, {"silent"}, set(families.FAMILIES)),
        (7, {"not selective"}, set(families.FAMILIES)),
    ],
)
def test_filters_are_put_where_they_belong(
    judged: families.Families, channel: int, wanted: set[str], foreign: set[str]
) -> None:
    found = set(judged.of(channel))
    assert wanted <= found
    assert not foreign & found


def test_p_values_are_scipys() -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        whole = int(random.integers(2, 500))
        marked, drawn = (int(value) for value in random.integers(0, whole + 1, 2))
        found = int(random.integers(0, min(marked, drawn) + 1))
        wanted = stats.hypergeom.sf(found - 1, whole, marked, drawn)
        assert families.hypergeometric_tail(found, marked, drawn, whole) == pytest.approx(wanted, rel=1e-7)
    black_white, curves = PAPER
    assert black_white.p < 1e-8 < 1e-7
    assert curves.p < 1e-20
    assert families.hypergeometric_tail(0, 5, 3, 9) == 1


def planted(where: str) -> families.Families:
    """Twelve curves of 3b, all in one branch or spread evenly over the module; nothing else."""
    block = tiny().block("3b")
    members = {name: np.zeros(block.out_channels, bool) for name in families.FAMILIES}
    lane = block.channels("3x3") if where == "3x3" else slice(0, block.out_channels)
    members["curves"][np.linspace(lane.start, lane.stop - 1, 6).round().astype(int)] = True
    nobody = np.zeros(block.out_channels, bool)
    return families.Families("3b", members, nobody, nobody.copy())


def test_what_is_concentrated_is_said_and_what_is_not_too() -> None:
    block = tiny().block("3b")
    there, spread = (planted(where).rows(block) for where in ("3x3", "everywhere"))
    (row,) = [row for row in there if row.total]
    assert row.counts == {"1x1": 0, "3x3": 6, "5x5": 0, "pool": 0}
    assert sum(row.expected(kind) for kind in BRANCHES) == pytest.approx(6)
    assert row.p["3x3"] == pytest.approx(stats.hypergeom.sf(5, block.out_channels, 6, block.width("3x3")))
    assert count_tests(there) == 4
    ((named, kind, p),) = concentrated(there)
    assert (named.family, kind) == ("curves", "3x3")
    assert p == pytest.approx(4 * row.p["3x3"])
    assert concentrated(spread) == []
    (said,) = beside_the_paper(there)
    assert "all 30 lie in 5×5" in said
    assert said.endswith("that is not found.")
    nobody = families.Families("3b", {}, np.zeros(30, bool), np.zeros(30, bool)).rows(block)
    assert nobody == ()


def test_colour_and_frequency_of_a_filter_are_those_of_its_weights() -> None:
    x = np.mgrid[:7, :7][1]
    waves = np.stack([np.cos(2 * np.pi * cycles * x) for cycles in (0.0, 0.15, 0.4)])
    grey = np.repeat(waves[:, None], 3, axis=1)
    opponent = waves[:, None] * np.asarray([1.0, -1.0, 0.0])[None, :, None, None]
    std = (0.5, 0.25, 0.125)
    assert_close(filter_colour(grey * np.asarray(std)[None, :, None, None], std), np.zeros(3), 1e-9, scale=1.0)
    assert_close(filter_colour(opponent * np.asarray(std)[None, :, None, None], std), np.ones(3), 1e-9)
    cycles = filter_frequency(grey)
    assert (np.diff(cycles) > 0.05).all()
    random = np.random.default_rng(0)
    one, other = random.integers(0, 9, 40).astype(float), random.normal(size=40)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic, rel=1e-9)


def test_planted_factors_are_found() -> None:
    """|W| made of two outer products, the first in the order of colour, the second in that of frequency."""
    classifier = random_classifier(tiny())
    units: dict[str, ConvUnit] = dict(classifier.network.conv_units())
    filters = units["conv1"].conv.weight.detach().double().numpy()
    colour, cycles = filter_colour(filters, classifier.preprocessing.std), filter_frequency(filters)
    loads = 1 + colour
    second = stats.rankdata(cycles) - 2.5
    second -= loads * (second @ loads) / (loads @ loads)
    matrix = np.outer([4.0, 3, 5, 4], loads) + 0.1 * np.outer([3.0, -4, 0, 0], second)
    with torch.no_grad():
        units["conv2_reduce"].conv.weight.copy_(torch.from_numpy(matrix * np.where(matrix > 2, 1, -1))[..., None, None])
    found = first_factors(classifier)
    assert_close(found.factors[0].loadings, loads / np.linalg.norm(loads), 1e-5)
    assert found.factors[0].colour == pytest.approx(1)
    assert found.factors[1].frequency == pytest.approx(spearman(second, cycles) * np.sign(second.sum()))
    values = np.linalg.svd(np.abs(matrix), compute_uv=False)
    assert_close([each.share for each in found.factors], values[:3] ** 2 / (values**2).sum(), scale=1.0)
    said = factors_in_words(Factors((Factor(0.6, loads, 0.9, 0.1), Factor(0.1, loads, 0.1, 0.1)), colour, cycles, 0.3))
    assert "factor 1 (60%) goes with colour" in said
    assert "factor 2 (10%) goes with neither" in said


def test_the_command_runs_on_any_network(
    tiny_classifier: Classifier, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(tiny_classifier.checkpoint, preprocessing=Preprocessing(size=64, resize=64))
    classifier = dataclasses.replace(tiny_classifier, checkpoint=small)
    monkeypatch.setattr(command, "classifier_from", lambda args: classifier)
    monkeypatch.setattr(selectivity, "ORIENTATIONS", (0, 90))
    monkeypatch.setattr(selectivity, "FREQUENCIES", (4.0, 16.0))
    monkeypatch.setattr(selectivity, "PHASES", (0.0,))
    monkeypatch.setattr(families, "_TURNS", (0, 180))
    assert main(["specialisation", "4a", "3a", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["module"] for row in told["rows"][:: len(families.FAMILIES)]] == ["3a", "4a"]
    assert {row["family"] for row in told["rows"]} == set(families.FAMILIES)
    assert told["tests"] == 4 * sum(row["total"] > 0 for row in told["rows"])
    assert any("InceptionV1" in sentence for sentence in told["summary"])
    assert main(["specialisation", "9z"]) == 2
    assert "allowed: 3a, 3b" in capsys.readouterr().err

    # What the page asks of one module is the same, and its means are those of the branches' own convolutions.
    summary = families.module_summary(classifier, "4a")
    counts = [row["branches"]["3x3"]["found"] for row in told["rows"] if row["module"] == "4a"]
    assert [row.counts["3x3"] for row in summary.rows] == counts
    pictures = families.picture_set(64)
    answers = selectivity.node_responses(classifier, "4a", [*pictures[1 : 1 + 12], pictures[0]])
    for kind in BRANCHES:
        shown = answers[BRANCH_UNIT[kind]]
        wanted = selectivity.selectivity_from(shown[:-1], shown[-1])
        found = summary.selectivity[kind]
        assert np.array_equal(np.isnan(found.colour), np.isnan(wanted.colour))
        assert_close(np.nan_to_num(found.colour), np.nan_to_num(wanted.colour), 1e-4, scale=1.0)
        assert found.not_selective.tolist() == wanted.not_selective.tolist()
