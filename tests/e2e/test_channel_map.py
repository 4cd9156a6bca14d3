"""The map that the browser paints over the photo, pixel by pixel beside the one that the library draws."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from app.static import script
from inception_model.drawing.atlas import make_atlas
from inception_model.drawing.colormaps import TABLES
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.overlay import Grid, covered_pixels, overlay_on_photo
from inception_model.images.geometry import Box
from tests.compare import relative_norm

from .conftest import OpenPage

_PAINT = """async ([source, data, atlas, box, grid, share]) => {
  const Painter = new Function(source + "; return Painter;")();
  const painter = new Painter(data), image = new Image();
  image.src = atlas;
  await Promise.all([image.decode(), painter.photo.decode()]);
  painter.paint(image, box, grid, share);  // nothing of the picture before may stay
  return painter.paint(image, box, grid, share).toDataURL("image/png");
}"""


@pytest.fixture(scope="module")
def blank(kept_page: OpenPage) -> Page:
    """A page with nothing on it."""
    return kept_page()


@pytest.mark.parametrize(
    ("size", "view", "units", "grid", "share"),
    [
        ((560, 350), Box(127, 22, 433, 328), (14, 14), Grid(5.5, 16, 224), 1.0),
        ((200, 320), Box(-12.5, 47.5, 212.5, 272.5), (28, 28), Grid(1.5, 8, 224), 0.37),
        ((96, 96), Box(0, 0, 96, 96), (7, 7), Grid(-2.5, 32, 224), 0.5),
        ((64, 3), Box(30, 0, 33, 3), (7, 7), Grid(15.5, 32, 224), 1.0),
    ],
)
def test_the_browser_paints_what_the_library_draws(
    blank: Page, size: tuple[int, int], view: Box, units: tuple[int, int], grid: Grid, share: float
) -> None:
    noise = np.random.default_rng(sum(size))
    values = np.maximum(noise.normal(0.2, 1, (37, *units)), 0).astype(np.float32)
    photo = Image.fromarray(noise.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    atlas = make_atlas(values, columns=6, sort="max", scale="channel")
    cell = 20
    high, wide = atlas.cell
    box = [cell % 6 * (wide + atlas.gap), cell // 6 * (high + atlas.gap), wide, high]
    data = {
        "photo": data_url(png_bytes(photo)),
        "size": size,
        "seen": covered_pixels(view, size),
        "side": grid.side,
        "colours": TABLES["magma"].tobytes().hex(),
        "alpha": 0.62,
    }
    given = [script("channel_map"), data, data_url(atlas.png), box, {"start": grid.start, "jump": grid.jump}, share]
    url = blank.evaluate(_PAINT, given)
    painted = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"), np.float32)

    heatmap = values[atlas.order[cell]]
    scale = float(heatmap.max()) / share
    drawn = overlay_on_photo(photo, heatmap, view, scale=scale, alpha=0.62, grid=grid)
    assert painted.shape[:2] == (size[1], size[0])
    # The atlas has 255 steps, so a value lies up to half a step beside; another channel is far from it.
    assert relative_norm(painted, np.asarray(drawn, np.float32)) < 0.01
    other = overlay_on_photo(photo, values[atlas.order[0]], view, scale=scale, alpha=0.62, grid=grid)
    if size != (64, 3):
        assert relative_norm(painted, np.asarray(other, np.float32)) > 0.05
