"""Signed maps on photos: opacity is strength, red speaks for and blue against, and a line goes round the strongest."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inception_model.drawing import overlay
from inception_model.drawing.colormaps import AGAINST, FOR, layer
from inception_model.images.preprocessing import Preprocessing
from tests.compare import assert_close


def test_opacity_is_strength_and_the_colour_only_the_sign() -> None:
    values = np.array([[-8.0, -2.0, -1.0, 0.0, 1.0, 2.0, 8.0]])
    drawn = layer(values, 4.0)[0]
    assert drawn[:, 3].tolist() == [255, 128, 64, 0, 64, 128, 255]
    assert (drawn[:3, :3] == AGAINST).all()
    assert (drawn[4:, :3] == FOR).all()
    assert (layer(values, 0.0)[..., 3] == 0).all()  # a dead map leaves the photo as it is


def test_the_photo_shows_through_where_the_map_is_weak() -> None:
    photo, preprocessing = Image.effect_noise((224, 224), 80).convert("RGB"), Preprocessing(size=224, resize=224)
    values = np.zeros((224, 224), np.float32)
    values[:, 60:120], values[:, 120:] = -0.5, 1.0
    drawn = np.asarray(overlay.map_on_photo(photo, values, preprocessing, scale=1.0), float)
    before, strength = np.asarray(photo, float), overlay.STRENGTH
    middle = slice(90, 110)  # away from the line
    assert (drawn[:, :50] == before[:, :50]).all()
    for columns, share, colour in ((slice(70, 80), 0.5, AGAINST), (slice(200, 210), 1.0, FOR)):
        wanted = before[middle, columns] * (1 - share * strength) + np.array(colour) * share * strength
        assert_close(drawn[middle, columns], wanted, 0.02)


@pytest.mark.parametrize("side", [7, 14, 28, 224])
def test_the_line_goes_round_the_strongest_fifth(side: int) -> None:
    rows, columns = np.mgrid[:side, :side] / (side - 1)
    values = 1 - np.hypot(rows - 0.4, columns - 0.6)  # falls evenly from one place
    lines = overlay.strongest(values)
    assert len(lines) == 1
    drawn = Image.new("L", (500, 500))
    ImageDraw.Draw(drawn).polygon([(x * 500, y * 500) for x, y in lines[0].tolist()], fill=1)
    assert_close(np.asarray(drawn).mean(), overlay.STRONGEST, 0.06)
    mask = np.asarray(drawn).astype(bool)
    assert_close(
        np.argwhere(mask).mean(axis=0) / 500, ((0.4 * (side - 1) + 0.5) / side, (0.6 * (side - 1) + 0.5) / side), 0.03
    )
    for other, line in zip(overlay.strongest(-values), lines, strict=True):
        assert_close(other, line, 1e-9)


def test_single_pixels_get_no_line_each_and_an_even_map_none() -> None:
    noise = np.random.default_rng(0).normal(size=(224, 224))
    assert len(overlay.strongest(noise)) < 80
    assert overlay.strongest(np.ones((7, 7))) == []
    assert overlay.strongest(np.zeros((224, 224))) == []
