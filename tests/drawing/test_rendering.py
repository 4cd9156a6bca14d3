"""Pictures against matplotlib's own colour map, torch's interpolation, and values read back from the pixels."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from matplotlib import colormaps as matplotlib_colormaps
from PIL import Image

from inception_model.drawing import atlas, colormaps, encoding, overlay
from inception_model.drawing.numbers import number
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import TORCHVISION, Preprocessing
from tests.compare import assert_close


def test_magma_is_matplotlibs_from_zero_to_the_scale() -> None:
    values = np.linspace(0, 8, 200, dtype=np.float32)
    theirs = matplotlib_colormaps["magma"](values / 8)[:, :3] * 255
    assert np.abs(colormaps.magma(values, 8).astype(float) - theirs).max() <= 4
    assert (colormaps.magma(np.array([9.0, 100.0]), 8) == colormaps.magma(np.array([8.0]), 8)).all()
    assert (colormaps.magma(np.array([3.0]), 0.0) == colormaps.magma(np.array([0.0]), 1.0)).all()


def test_signed_is_white_at_zero_and_symmetric() -> None:
    assert colormaps.signed(np.array([0.0]), 3).tolist() == [[255, 255, 255]]
    for strength in (0.3, 1.0, 2.9):
        low, high = colormaps.signed(np.array([-strength, strength]), 3).astype(int)
        assert low[2] > low[0]
        assert high[0] > high[2]
    places = colormaps.indices(np.linspace(-3, 3, 301), 3.0, "signed").astype(int)
    assert (places + places[::-1] == 254).all()


@pytest.mark.parametrize("smooth", [True, False])
def test_a_map_on_the_photo_is_torchs_interpolation(smooth: bool) -> None:
    heatmap = np.random.default_rng(0).random((7, 5), dtype=np.float32)
    ours = overlay.map_on_view(heatmap, (90, 61), smooth=smooth)
    mode = {"mode": "bilinear", "align_corners": False} if smooth else {"mode": "nearest-exact"}
    theirs = torch.nn.functional.interpolate(torch.from_numpy(heatmap)[None, None], size=(90, 61), **mode)[0, 0].numpy()
    assert_close(ours, theirs, 1e-5 if smooth else 1e-6)


def test_a_grid_puts_values_at_their_units_centres() -> None:
    grid = overlay.Grid(start=14, jump=16, side=224)
    heatmap = np.zeros((14, 14), np.float32)
    heatmap[3, 9] = 1
    drawn = overlay.map_on_view(heatmap, (224, 224), grid)
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (14 + 3 * 16, 14 + 9 * 16)
    assert drawn.max() == pytest.approx(1)


@pytest.mark.parametrize("size", [(400, 300), (120, 640), (33, 33)])
def test_an_overlay_keeps_geometry_and_what_the_network_never_saw(size: tuple[int, int]) -> None:
    photo = Image.effect_noise(size, 90).convert("RGB")
    view = TORCHVISION.view(size)
    before = np.asarray(photo).copy()
    result = np.asarray(overlay.overlay_on_photo(photo, np.ones((4, 4)), view, alpha=1.0))
    assert result.shape == before.shape
    assert (np.asarray(photo) == before).all()
    inside = np.zeros(result.shape[:2], bool)
    inside[round(view.top) : round(view.bottom), round(view.left) : round(view.right)] = True
    assert (result[inside] == colormaps.magma(np.array([1.0]), 1.0)).all()
    assert (result[~inside] == before[~inside]).all()
    untouched = overlay.overlay_on_photo(photo, np.ones((4, 4)), view, alpha=0.0)
    assert (np.asarray(untouched) == before).all()
    with pytest.raises(ValueError, match="allowed: 0"):
        overlay.overlay_on_photo(photo, np.ones((4, 4)), view, alpha=1.5)


def test_a_spot_lands_where_the_preprocessing_says() -> None:
    pre, size = Preprocessing(size=224, resize=256), (500, 350)
    heatmap = np.zeros((14, 14), np.float32)
    heatmap[2, 11] = 5
    drawn = overlay.overlay_on_photo(Image.new("RGB", size), heatmap, pre.view(size), alpha=1.0)
    brightness = np.asarray(drawn).sum(axis=2)
    rows, columns = np.nonzero(brightness == brightness.max())
    x, y = pre.to_photo(size, (11 + 0.5) * 16, (2 + 0.5) * 16)
    # Within one pixel of the photo.
    assert_close((columns.mean() + 0.5, rows.mean() + 0.5), (x, y), 1 / 500, scale=500)


def test_boxes_and_contours_lie_where_they_should() -> None:
    image = Image.new("RGB", (200, 100))
    overlay.draw_box(image, Box(20, 30, 80, 70), colour="#ff0000", width=1)
    pixels = np.asarray(image)
    assert pixels[30, 50].tolist() == [255, 0, 0]
    assert pixels[50, 20].tolist() == [255, 0, 0]
    assert pixels[50, 50].tolist() == [0, 0, 0]
    disc = np.hypot(*np.mgrid[-16:16, -16:16]) < 8
    image = Image.new("RGB", (200, 200))
    parts = overlay.draw_contour(image, disc.astype(float), 0.5, Box(20, 20, 180, 180), colour="#00ff00", width=1)
    rows, columns = np.nonzero(np.asarray(image)[..., 1] == 255)
    radius = np.hypot(rows - 100, columns - 100)
    assert parts == 1
    assert_close(np.median(radius), 8 * 5.0, 0.15)
    whole = Image.new("RGB", (50, 50))
    assert overlay.draw_contour(whole, np.ones((8, 8)), 0.5, Box(5, 5, 45, 45)) == 1
    dashed = Image.new("RGB", (100, 100))
    overlay.draw_box(dashed, Box(10, 10, 90, 90), dashed=True)
    assert 0.2 < (np.asarray(dashed)[10, 12:88, 0] == 255).mean() < 0.9


def test_a_unit_is_one_cell_on_the_photo() -> None:
    pre, grid = Preprocessing(size=224, resize=224), overlay.Grid(14, 16, 224)
    box = overlay.unit_on_photo(pre, (448, 448), grid, 0, 1)
    assert (box.left, box.right, box.top, box.bottom) == (45.0, 77.0, 13.0, 45.0)


def test_the_colour_bar_takes_its_unit_for_text() -> None:
    unit = '<b> & "x"'
    bar = ET.fromstring(colormaps.colour_bar(1.0, unit=unit))
    assert bar.attrib["aria-label"] == f"Colour bar: {unit} from 0 to 1"
    assert unit in {node.text for node in bar.iter()}
    assert not [node for node in bar.iter() if node.tag == "b"]


def test_the_colour_bar_is_svg_with_raw_values() -> None:
    for kind, ends in (("magma", {"0", "6.12"}), ("signed", {"-6.12", "0", "6.12"}), ("layer", {"-6.12", "0", "6.12"})):
        bar = colormaps.colour_bar(6.1234, kind)
        texts = {node.text for node in ET.fromstring(bar).iter() if node.tag == "text"}
        assert ends <= texts
    assert [number(v) for v in (0.0, 1234.5, 0.00001, 2.0, -0.0456)] == [
        "0",
        "1,234",
        "1.00e-05",
        "2",
        "-0.0456",
    ]


def test_fitted_keeps_proportions_and_never_enlarges() -> None:
    assert overlay.fitted(Image.new("L", (2000, 1000)), 640).size == (640, 320)
    assert overlay.fitted(Image.new("RGB", (3, 900)), 640).size == (2, 640)
    assert overlay.fitted(Image.new("RGB", (64, 48)), 640).size == (64, 48)


def activations(channels: int = 23, height: int = 5, width: int = 4) -> np.ndarray:
    values = np.random.default_rng(3).standard_normal((channels, height, width)).astype(np.float32)
    values = np.maximum(values, 0)
    values[[4, 17]] = 0
    return values


def test_statistics_are_numpys_and_dead_channels_are_counted() -> None:
    values = activations()
    stats = atlas.channel_stats(values)
    assert_close(stats.mean, values.mean(axis=(1, 2)), 1e-6)
    assert_close(stats.spread, values.std(axis=(1, 2)))
    assert (stats.max == values.max(axis=(1, 2))).all()
    assert_close(stats.active, (values > 0).mean(axis=(1, 2)), 1e-6)
    assert stats.dead == 2
    assert stats.rank(int(stats.mean.argmax())) == 1
    assert atlas.channel_stats(np.full((3, 2, 2), 0.1, np.float32)).dead == 0


@pytest.mark.parametrize("sort", [*atlas.SORTS, "scores"])
def test_every_cell_of_an_atlas_shows_its_channel(sort: str) -> None:
    values = activations()
    scores = np.random.default_rng(1).random(len(values))
    made = atlas.make_atlas(values, columns=6, sort=scores if sort == "scores" else sort, gap=2)
    picture = np.asarray(Image.open(io.BytesIO(made.png)).convert("RGBA"))
    assert picture.shape[:2] == made.size[::-1]
    assert sorted(made.order) == list(range(len(values)))
    assert made.scale == pytest.approx(values.max())
    seen = np.zeros(picture.shape[:2], bool)
    for channel, expected in enumerate(colormaps.magma(values, made.scale)):
        row, column = divmod(made.order.index(channel), made.columns)
        top, left = row * 7, column * 6
        assert (picture[top : top + 5, left : left + 4, :3] == expected).all()
        seen[top : top + 5, left : left + 4] = True
    assert (picture[seen][:, 3] == 255).all()
    assert (picture[~seen][:, 3] == 0).all()
    if sort != "index":
        ranking = scores if sort == "scores" else getattr(made.stats, sort)
        assert (np.diff(ranking[list(made.order)]) <= 0).all()


def test_scales_are_shared_given_or_one_per_channel() -> None:
    values = activations()
    own = atlas.make_atlas(values, scale="channel")
    picture = np.asarray(Image.open(io.BytesIO(own.png)))
    assert own.scale is None
    assert "own" in own.scale_words
    for channel in range(len(values)):
        row, column = divmod(own.order.index(channel), own.columns)
        cell = picture[row * 6 : row * 6 + 5, column * 5 : column * 5 + 4]
        assert cell.max() == (0 if channel in (4, 17) else 254)
    assert atlas.make_atlas(values, scale=10.0).scale_words == "one scale for all channels, from 0 to 10"
    both = atlas.make_atlas(values - 1, kind="signed")
    assert both.scale == pytest.approx(np.abs(values - 1).max())
    assert both.scale_words.startswith("one scale for all channels, from -")


def test_what_an_atlas_refuses() -> None:
    with pytest.raises(ValueError, match=r"C, H, W"):
        atlas.make_atlas(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="allowed: shared, channel"):
        atlas.make_atlas(np.zeros((2, 3, 3)), scale="log")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allowed: index, mean, max, spread"):
        atlas.make_atlas(np.zeros((2, 3, 3)), sort="colour")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected \(2,\)"):
        atlas.make_atlas(np.zeros((2, 3, 3)), sort=np.zeros(5))


def test_urls_carry_the_bytes() -> None:
    image = Image.new("RGB", (4, 3), "#123456")
    assert Image.open(io.BytesIO(encoding.png_bytes(image))).getpixel((0, 0)) == (0x12, 0x34, 0x56)
    assert Image.open(io.BytesIO(encoding.jpeg_bytes(image))).size == (4, 3)
    assert encoding.data_url(b"\x00\x01", "image/png") == "data:image/png;base64,AAE="


@pytest.mark.parametrize("side", [640, 380, 96])
@pytest.mark.parametrize("long", [1, 2, 97, 427, 430, 2048])
@pytest.mark.parametrize("short", [1, 2, 5])
def test_photos_of_any_proportions_are_drawn(short: int, long: int, side: int) -> None:
    heatmap = np.ones((7, 7), np.float32)
    for size in ((short, long), (long, short)):
        photo, preprocessing = Image.new("RGB", size, "black"), Preprocessing()
        small = overlay.fitted(photo, side)
        drawn = overlay.map_on_photo(photo, heatmap, preprocessing, scale=1, side=side)
        assert drawn.size == small.size
        red = small.copy()
        overlay.lay_over(red, heatmap, preprocessing.view(small.size), 1)
        assert (np.asarray(red)[..., 0] > np.asarray(red)[..., 2]).any()  # the map is seen, be it on one pixel
        overlay.draw_contour(small, np.eye(7), 0.5, preprocessing.view(small.size))
        grid = overlay.Grid.stretched(7, 224)
        for dashed in (False, True):
            cell = overlay.unit_on_photo(preprocessing, small.size, grid, 6, 6)
            overlay.draw_box(small, cell, dashed=dashed)
