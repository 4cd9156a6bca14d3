"""What the browser gets to lay a channel's map over the photo by itself: checked against the trace and matplotlib."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from app.jobs.channels import field_of
from app.state import network, options
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module import atlas, preview
from inception_model.architecture.variants import tiny
from inception_model.images.decode import Photo
from inception_model.inference.trace import NODES
from inception_model.serving.service import InferenceService
from tests.compare import assert_close
from tests.random_networks import random_classifier


def photo(width: int, height: int) -> Photo:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Photo(Image.fromarray(pixels), f"{width}x{height}", f"{width} by {height}")


WIDE, TALL = Panel(photo(1120, 700)), Panel(photo(90, 400), "beside")


@pytest.fixture(scope="module")
def small() -> Iterator[InferenceService]:
    service = InferenceService(random_classifier(tiny()), twins=1)
    yield service
    service.close()


@pytest.fixture(autouse=True)
def at_work(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "service", lambda: small)


@pytest.mark.parametrize("module", ["3a", "4d", "5b"])
@pytest.mark.parametrize("node", NODES)
def test_all_channels_of_a_node_look_at_one_grid(module: str, node: str) -> None:
    grid = preview.grid_of(module, node)
    width = WIDE.trace().block(module).node(node).shape[1]
    for channel in range(width):
        field = field_of(Unit(module, node, channel, 0, 0))
        assert {"start": field.start, "jump": field.jump} == grid


def test_the_photo_goes_along_with_what_the_network_sees_of_it() -> None:
    data = preview.of_photo(WIDE)
    assert data["size"] == (560, 350)
    left, top, right, bottom = data["seen"]
    # The centre crop: 224 of 256 pixels of the shorter side, in the middle of both.
    for side in (right - left, bottom - top):
        assert abs(side - 350 * 224 / 256) < 1, "whole pixels"
    assert abs(left - (560 - right)) <= 1
    assert abs(top - (350 - bottom)) <= 1
    table = np.frombuffer(bytes.fromhex(data["colours"]), np.uint8).reshape(-1, 3)
    magma = mpl.colormaps["magma"](np.linspace(0, 1, 255), bytes=True)[:, :3].astype(int)
    assert np.abs(table.astype(int) - magma).max() <= 1
    assert len(np.unique(table, axis=0)) == len(table), "a colour has to say which value it stands for"


def test_of_two_photos_both_maps_end_on_one_scale() -> None:
    both = (WIDE, TALL)
    own = [panel.trace().block("4d").node("5x5")[0].amax(dim=(1, 2)) for panel in both]
    for panel, tops in zip(both, own, strict=True):
        joint = np.maximum(*map(np.asarray, own))
        shares = np.asarray(preview.shares(both, panel, "4d", "5x5"))
        assert_close(shares * joint, np.asarray(tops), 1e-6)
        assert np.all(shares[joint == 0] == 1)
    assert preview.shares((WIDE,), WIDE, "4d", "5x5") == []
    figure = atlas.figure_data(both, TALL, "4d", atlas.View(scale="shared"))
    assert figure["preview"]["panel"] == "beside"
    assert figure["nodes"]["5x5"]["share"] == []  # the atlases of both are on that scale already


def test_strongest_first_each_on_its_own_scale_unless_chosen() -> None:
    assert (options.MODULE_SORT.default, options.MODULE_SCALE.default) == ("max", "channel")
    assert atlas.View() == atlas.View(sort="max", scale="channel")
    node = atlas.figure_data((WIDE,), WIDE, "4d", atlas.View())["nodes"]["3x3"]
    tops = np.asarray(WIDE.trace().block("4d").node("3x3")[0].amax(dim=(1, 2)))[list(node["order"])]
    assert np.all(np.diff(tops) <= 0)
