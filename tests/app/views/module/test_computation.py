"""The computation of one number on the Module page: its steps, the values that the browser tells, and its pictures."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.views.module.computation_panel import ASK, grids
from app.views.module.computation_steps import Grid, Step, steps_of
from inception_model.analysis.computation import Computation, computation
from inception_model.architecture.address import output_origin
from inception_model.architecture.spec import UNITS
from inception_model.drawing.colormaps import signed
from inception_model.drawing.numbers import number
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import BlockTrace, capture
from inception_model.serving.service import InferenceService
from tests.app.asking import PHOTO, good, opened, small
from tests.compare import assert_close
from tests.random_networks import noise_images

__all__ = ["opened", "small"]  # fixtures

MODULE = "3b"


@pytest.fixture(scope="module")
def block(tiny_classifier: Classifier) -> BlockTrace:
    return capture(tiny_classifier, noise_images(1)).block(MODULE)


def made(classifier: Classifier, block: BlockTrace, node: str, row: int = 9, column: int = 12) -> Computation:
    return computation(classifier, block, node, 1, row, column)


def gridded(steps: list[Step]) -> list[Grid]:
    return [step.grid for step in steps if step.grid is not None]


def pixels(grid: Grid) -> np.ndarray:
    data = base64.b64decode(grid.picture.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.mark.parametrize("node", UNITS)
def test_the_steps_hold_the_computation_s_values(tiny_classifier: Classifier, block: BlockTrace, node: str) -> None:
    found = made(tiny_classifier, block, node)
    steps = steps_of(tiny_classifier.network.spec, found)
    assert len(steps) == (7 if node in ("3x3", "5x5") else 4)
    last = gridded(steps)[-1]
    assert_close(last.values, found.last.inputs.flatten(), 1e-4)
    assert last.weights is not None
    assert_close(last.weights, found.last.weights.flatten(), 1e-4)
    if found.reduction is not None:
        first = gridded(steps)[0]
        assert_close(first.values, found.reduction.inputs.flatten(), 1e-4)
        assert dict(steps[2].sums)["after it"] == number(found.reduction.result)
    sums = dict(steps[-2].sums)
    assert sums["after it"] == number(found.last.result)
    assert number(found.shown) in (sums["after it"], *re.findall(r"[\d.e-]+", steps[-2].note))
    prices = [macs for _, macs, _ in steps[-1].bars]
    assert prices == [price for price in (found.cost.total, found.cost.without) if price is not None]
    for step in steps:
        for _, _, result in step.largest:
            assert re.fullmatch(r"[+−]?[\d.,e-]+", result)


def test_the_picture_s_pixels_are_the_products(tiny_classifier: Classifier, block: BlockTrace) -> None:
    """Cell by cell where the browser looks for them; clear beyond the border."""
    found = made(tiny_classifier, block, "3x3", 0, 0)
    grid, last = gridded(steps_of(tiny_classifier.network.spec, found))[-1], found.last
    drawn = pixels(grid)
    assert drawn.shape[:2] == (grid.rows, grid.columns)
    products = np.asarray(last.products)
    colours = signed(products, float(np.abs(products).max()))
    for channel in range(len(grid.names)):
        top, left = channel // grid.across * (grid.side + grid.gap), channel % grid.across * (grid.side + grid.gap)
        tile = drawn[top : top + grid.side, left : left + grid.side]
        inside = np.asarray(last.inside)
        assert (tile[..., :3][inside] == colours[channel][inside]).all()
        assert (tile[..., 3] == np.where(inside, 255, 0)).all()
    assert grid.places[0] == "beyond the border"
    assert grid.places[4] == "row 0, column 0"
    noted = [step.note for step in steps_of(tiny_classifier.network.spec, found)]
    assert "5 of 9 positions lie beyond the border and count as 0." in noted


def test_inputs_are_named_by_who_made_them(tiny_classifier: Classifier, block: BlockTrace) -> None:
    spec = tiny_classifier.network.spec
    names = gridded(steps_of(spec, made(tiny_classifier, block, "1x1")))[0].names
    for channel, name in enumerate(names):
        part = output_origin(spec, "3a", channel)
        assert name == f"input {channel} ({part.module} {str(part.branch).replace('x', '×')} {part.channel})"
    pooled = made(tiny_classifier, block, "pool_proj")
    assert pooled.pooled_from is not None
    row, column = pooled.pooled_from[0].tolist()
    assert gridded(steps_of(spec, pooled))[0].names[0] == f"input 0 (3a 1×1 0) at row {row}, column {column}"


@pytest.mark.parametrize("node", ["1x1", "3x3_reduce", "pool_proj"])
def test_of_nothing_no_contribution_is_named(tiny_classifier: Classifier, block: BlockTrace, node: str) -> None:
    silent = replace(block, input=torch.zeros_like(block.input))
    steps = steps_of(tiny_classifier.network.spec, made(tiny_classifier, silent, node))
    assert steps[1].largest == [(f"all {len(block.input[0])} are zero", "", "0")]
    assert dict(steps[2].sums)[f"sum of {len(block.input[0])} products"] == "0"


def shown(page: AppTest) -> list[dict[str, Any]]:
    """What the page gives the steps' component."""
    found = [element.proto for element in page.get("bidi_component")]
    ours = [proto for proto in found if "-computation" in proto.id]
    return [json.loads(proto.mixed.json if proto.HasField("mixed") else proto.json) for proto in ours]


@pytest.mark.parametrize("node", ["1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj", "output"])
def test_the_page_shows_it_once_it_is_asked_for(
    small: InferenceService, opened: Callable[..., AppTest], node: str
) -> None:
    spot = (PHOTO.sha256, "4d"), 0, 13
    page = opened("module", module__spot=spot)
    page.session_state["scope.node"], page.session_state["scope.channel"] = node, 1
    good(page.run())
    assert not shown(page)
    switch = next(toggle for toggle in page.toggle if toggle.label == ASK)
    good(switch.set_value(True).run())
    (told,) = shown(page)
    value = float(small.look(PHOTO).trace.block("4d").node(node)[0, 1, 0, 13])
    assert f"row 0, column 13 is computed: {number(value)}" in told["html"]
    assert told["html"].count('role="slider"') == len(told["grids"])
    found = computation(
        small.classifier, small.look(PHOTO).trace.block("4d"), "1x1" if node == "output" else node, 1, 0, 13
    )
    assert told["grids"] == json.loads(json.dumps(grids(steps_of(small.classifier.network.spec, found))))


def test_the_stem_s_numbers_are_not_explained(opened: Callable[..., AppTest]) -> None:
    page = opened("module", module__computation=True)
    page.session_state["scope.module"], page.session_state["scope.node"] = "3a", "input"
    good(page.run())
    assert not shown(page)
    assert any("comes from the stem or from a pool" in str(caption.value) for caption in page.caption)
