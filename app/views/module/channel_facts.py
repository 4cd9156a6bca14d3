"""What is known of one channel on a photo: picture, numbers, what it sees, pushes, and what reads it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from app.jobs.channels import box_of, effects_of, field_of, stats_of, support_of, values_of
from app.jobs.examples import among
from app.state import examples, network
from app.state.panel import Panel
from app.state.selection import Unit
from inception_model.analysis.channel_effects import strongest_readers
from inception_model.architecture.address import reaches
from inception_model.architecture.spec import BRANCH_UNIT
from inception_model.drawing import overlay
from inception_model.drawing.csv_table import csv_text
from inception_model.drawing.numbers import number, short
from inception_model.drawing.overlay import Grid
from inception_model.drawing.palette import node_name
from inception_model.images.geometry import Box

PHOTO_SIDE = 560
MAP_ALPHA = 0.62
"""Share of the map's colour on the photo."""
SUPPORT_SHARE = 0.9
"""Share of the absolute gradient that the drawn contour encloses."""


def peak_unit(panel: Panel, module: str, node: str, channel: int) -> Unit:
    """The channel's strongest position on a panel's photo."""
    heatmap = values_of(panel.trace().block(module), node)[channel]
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return Unit(module, node, channel, int(row), int(column))


def _contour_level(support: np.ndarray) -> float:
    """The height above which SUPPORT_SHARE of the gradient lies."""
    ordered = np.sort(support, axis=None)[::-1].cumsum()
    return float(np.sort(support, axis=None)[::-1][int(np.searchsorted(ordered, SUPPORT_SHARE * ordered[-1]))])


def picture(panel: Panel, unit: Unit, scale: float, layers: tuple[str, ...]) -> Image.Image:
    """The channel on the whole photo, undistorted: the map, the frame of what the network sees, and what was asked."""
    preprocessing = network.checkpoint().preprocessing
    photo = overlay.fitted(panel.photo.image, PHOTO_SIDE)
    square = panel.photo.square_on(photo.size)
    view, field = preprocessing.view(photo.size, square), field_of(unit)
    grid = Grid(field.start, field.jump, preprocessing.size)
    if "map" in layers:
        heatmap = values_of(panel.trace().block(unit.module), unit.node)[unit.channel]
        photo = overlay.overlay_on_photo(
            photo, heatmap, view, scale=scale, alpha=MAP_ALPHA, smooth="cells" not in layers, grid=grid
        )
    else:
        photo = photo.copy()
    overlay.draw_box(photo, _inside(view, photo.size), colour="#ffffffb0", width=1)
    if "receptive field" in layers:
        box = field.box(unit.row, unit.column, preprocessing.size)
        overlay.draw_box(photo, _inside(preprocessing.box_to_photo(photo.size, box, square), photo.size), width=2)
    support = support_of(panel, unit) if "measured support" in layers else None
    if support is not None and support.any():
        smooth = np.asarray(_blurred(support))
        overlay.draw_contour(photo, smooth, _contour_level(smooth), view)
    place = overlay.unit_on_photo(preprocessing, photo.size, grid, unit.row, unit.column, square)
    overlay.draw_cross(photo, (place.left + place.right) / 2, (place.top + place.bottom) / 2)
    return photo


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The box one pixel smaller than the picture allows, so that all four sides show."""
    inner = box.clipped(size)
    return Box(inner.left + 1, inner.top + 1, inner.right - 2, inner.bottom - 2)


def _blurred(support: np.ndarray) -> Image.Image:
    """Gradients are rough from pixel to pixel: a blur of a few pixels makes one contour out of many."""
    scaled = Image.fromarray((support / support.max() * 255).astype(np.float32)).convert("L")
    return scaled.filter(ImageFilter.GaussianBlur(4))


def facts(panel: Panel, unit: Unit) -> dict[str, str]:
    """What is known of the channel on this photo, in words with numbers."""
    heatmap = values_of(panel.trace().block(unit.module), unit.node)[unit.channel]
    stats = stats_of(panel, unit.module, unit.node)
    rows, columns = heatmap.shape
    if float(heatmap.max()) <= 0:
        peak = f"none: the channel is zero at all {rows * columns} positions"
    else:
        row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
        peak = f"{number(float(heatmap.max()))} at row {row}, column {column} of {rows} × {columns}"
        if (int(row), int(column)) != (unit.row, unit.column):
            peak += f"; {number(float(heatmap[unit.row, unit.column]))} at the cross"
    field, side = field_of(unit), network.checkpoint().preprocessing.size
    seen = f"{field.size} px, one unit every {field.jump} px"
    if field.size > side:
        seen += f"; wider than the {side} px that the network gets, so the box ends at their edge"
    index = examples.usable()
    strength = among(index, panel, unit) if index is not None else ""
    return {
        "peak": peak,
        **({"among images": strength} if strength else {}),
        "mean": f"{number(float(stats.mean[unit.channel]))}; rank {stats.rank(unit.channel)} of {len(stats.mean)} "
        f"in {node_name(unit.node)}",
        "active": f"{float(stats.active[unit.channel]):.0%} of {rows * columns} positions",
        "can see": seen,
    }


def support_words(panel: Panel, unit: Unit) -> str:
    """How far the unit really listens on this photo."""
    support = support_of(panel, unit)
    if support is None:
        return "not measured here: a pool stands between this and the convolution; look at the module before"
    box = box_of(support, SUPPORT_SHARE)
    if box is None:
        return "nowhere: no pixel changes this unit"
    return f"{SUPPORT_SHARE:.0%} of the gradient within {box.width:.0f} × {box.height:.0f} px (contour)"


def pushes(panel: Panel, unit: Unit) -> dict[str, str]:
    """Which classes the channel pushes, per trained head that lies behind it."""
    checkpoint, spec = network.checkpoint(), network.spec()
    rows = {}
    for head in checkpoint.heads_trained:
        if not reaches(spec, unit.module, head):
            continue
        effects = effects_of(panel, unit.module, head)
        values = effects.values[unit.node][:, unit.channel].tolist()
        words = ", ".join(
            f"{short(checkpoint.label(index).words)} {value:+.2f}"
            for index, value in zip(effects.classes, values, strict=True)
        )
        # Behind a reduction or the input lies another ReLU: only what is pooled itself adds up exactly.
        exact = effects.exact and unit.node in (*BRANCH_UNIT.values(), "output")
        rows[f"pushes {head}"] = f"{words} ({'exact share of the logit' if exact else 'logits, by gradient'})"
    return rows


def readers(unit: Unit) -> str:
    """The strongest weights that read the channel, in words."""
    checkpoint = network.checkpoint()
    found = strongest_readers(network.service().classifier, unit.module, unit.node, unit.channel, 4)

    def name(where: str, channel: int) -> str:
        if where == "main":
            return short(checkpoint.label(channel).words)
        module, _, convolution = where.partition(" ")
        return f"{module} {node_name(convolution)} {channel}"

    return ", ".join(f"{name(r.unit, r.channel)} {r.weight:+.2f}" for r in found)


def channels_csv(panel: Panel, module: str, node: str) -> str:
    """One line per channel of the node: statistics on a panel's photo."""
    stats = stats_of(panel, module, node)
    columns = {"mean": stats.mean, "max": stats.max, "spread": stats.spread, "active": stats.active}
    rows = [
        [module, node, c, *(f"{float(values[c]):.6g}" for values in columns.values())] for c in range(len(stats.mean))
    ]
    return csv_text(["module", "node", "channel", *columns], rows)


def npz_bytes(panel: Panel, module: str) -> bytes:
    """All eight nodes of the module as float32 arrays (C, H, W) by the names that `inspect` uses."""
    block, out = panel.trace().block(module), io.BytesIO()
    arrays: dict[str, Any] = {f"{module}/{name}": np.asarray(tensor[0]) for name, tensor in block.nodes()}
    np.savez_compressed(out, **arrays)
    return out.getvalue()
