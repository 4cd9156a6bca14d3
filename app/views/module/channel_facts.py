"""What is known of one channel on the current photo: picture, numbers, what it sees, pushes, and what reads it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter

from app import state
from app.figures.head_cards import short
from app.views.module.atlas import node_name, stats_of, values_of
from inception_model.analysis.channel_effects import Effects, channel_effects, strongest_readers
from inception_model.analysis.receptive_field import ReceptiveField, gradient_support, receptive_field, support_box
from inception_model.architecture.address import reaches
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, HeadName
from inception_model.drawing import overlay
from inception_model.drawing.numbers import number
from inception_model.drawing.overlay import Grid
from inception_model.images.geometry import Box
from inception_model.inference.classifier import Classifier

PHOTO_SIDE = 560
SUPPORT_SHARE = 0.9
"""Share of the absolute gradient that the drawn contour encloses."""


@dataclass(frozen=True)
class Unit:
    """A channel of a node and the position on its map that is looked at: row, column."""

    module: str
    node: str
    channel: int
    row: int
    column: int

    @property
    def title(self) -> str:
        return f"{self.module} · {node_name(self.node)} · channel {self.channel}"


def field_of(unit: Unit) -> ReceptiveField:
    """What the units of the channel can see: of a concatenation, what the branch that the channel comes from sees."""
    if unit.node != "output":
        return receptive_field(state.spec(), unit.module, unit.node)
    return receptive_field(state.spec(), unit.module, _source(unit)[1])


def _source(unit: Unit) -> tuple[str, str, int] | None:
    """Module, branch and channel that compute this channel; None for what the stem computes."""
    spec, module, channel = state.spec(), unit.module, unit.channel
    if unit.node not in ("input", "output"):
        return module, unit.node, channel
    if unit.node == "input":
        place = spec.module_names.index(module)
        if place == 0 or spec.pool_after(spec.module_names[place - 1]) is not None:
            return None
        module = spec.module_names[place - 1]
    block = spec.block(module)
    kind = next(kind for kind in BRANCHES if channel < block.channels(kind).stop)
    return module, kind, channel - block.channels(kind).start


def peak_unit(module: str, node: str, channel: int) -> Unit:
    """The channel's strongest position on the current photo."""
    heatmap = values_of(state.trace().block(module), node)[channel]
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return Unit(module, node, channel, int(row), int(column))


def support_of(unit: Unit) -> np.ndarray | None:
    """The measured gradient support of a unit (S, S); None where no convolution of a module computes it."""
    source = _source(unit)
    if source is None:
        return None
    photo = state.current_photo()

    def measure(twin: Classifier) -> np.ndarray:
        x = twin.prepare(photo.image)
        return np.asarray(gradient_support(twin, x, *source, unit.row, unit.column))

    return state.remember(("module-support", unit), lambda: state.service().run(measure))


def _contour_level(support: np.ndarray) -> float:
    """The height above which SUPPORT_SHARE of the gradient lies."""
    ordered = np.sort(support, axis=None)[::-1].cumsum()
    return float(np.sort(support, axis=None)[::-1][int(np.searchsorted(ordered, SUPPORT_SHARE * ordered[-1]))])


def picture(unit: Unit, scale: float, layers: tuple[str, ...]) -> Image.Image:
    """The channel on the whole photo, undistorted: the map, the frame of what the network sees, and what was asked."""
    preprocessing = state.checkpoint().preprocessing
    photo = overlay.fitted(state.current_photo().image, PHOTO_SIDE)
    view, field = preprocessing.view(photo.size), field_of(unit)
    grid = Grid(field.start, field.jump, preprocessing.size)
    if "map" in layers:
        heatmap = values_of(state.trace().block(unit.module), unit.node)[unit.channel]
        photo = overlay.overlay_on_photo(
            photo, heatmap, view, scale=scale, alpha=0.62, smooth="cells" not in layers, grid=grid
        )
    else:
        photo = photo.copy()
    overlay.draw_box(photo, _inside(view, photo.size), colour="#ffffffb0", width=1)
    if "receptive field" in layers:
        box = field.box(unit.row, unit.column, preprocessing.size)
        overlay.draw_box(photo, _inside(preprocessing.box_to_photo(photo.size, box), photo.size), width=2)
    support = support_of(unit) if "measured support" in layers else None
    if support is not None and support.any():
        smooth = np.asarray(_blurred(support))
        overlay.draw_contour(photo, smooth, _contour_level(smooth), view)
    place = overlay.unit_on_photo(preprocessing, photo.size, grid, unit.row, unit.column)
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


def facts(unit: Unit) -> dict[str, str]:
    """What is known of the channel on this photo, in words with numbers."""
    heatmap = values_of(state.trace().block(unit.module), unit.node)[unit.channel]
    stats = stats_of(unit.module, unit.node)
    rows, columns = heatmap.shape
    if float(heatmap.max()) <= 0:
        peak = f"none: the channel is zero at all {rows * columns} positions"
    else:
        row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
        peak = f"{number(float(heatmap.max()))} at row {row}, column {column} of {rows} × {columns}"
        if (row, column) != (unit.row, unit.column):
            peak += f"; {number(float(heatmap[unit.row, unit.column]))} at the cross"
    field, side = field_of(unit), state.checkpoint().preprocessing.size
    seen = f"{field.size} px, one unit every {field.jump} px"
    if field.size > side:
        seen += f"; wider than the {side} px that the network gets, so the box ends at their edge"
    return {
        "peak": peak,
        "mean": f"{number(float(stats.mean[unit.channel]))}; rank {stats.rank(unit.channel)} of {len(stats.mean)} "
        f"in {node_name(unit.node)}",
        "active": f"{float(stats.active[unit.channel]):.0%} of {rows * columns} positions",
        "can see": seen,
    }


def support_words(unit: Unit) -> str:
    """How far the unit really listens on this photo."""
    support = support_of(unit)
    if support is None:
        return "not measured here: a pool stands between this and the convolution; look at the module before"
    box = support_box(torch.from_numpy(support), SUPPORT_SHARE)
    if box is None:
        return "nowhere: no pixel changes this unit"
    return f"{SUPPORT_SHARE:.0%} of the gradient within {box.width:.0f} × {box.height:.0f} px (contour)"


def effects_of(module: str, head: HeadName, count: int = 3) -> Effects:
    """Pushes of all the module's channels towards the head's top classes on the current photo; computed once."""
    block, logits = state.trace().block(module), state.trace().logits(head)[0]
    classes = logits.topk(min(count, len(logits))).indices.tolist()
    return state.remember(
        ("module-effects", module, head), lambda: state.service().run(channel_effects, block, head, classes)
    )


def pushes(unit: Unit) -> dict[str, str]:
    """Which classes the channel pushes, per trained head that lies behind it."""
    checkpoint, spec = state.checkpoint(), state.spec()
    rows = {}
    for head in checkpoint.heads_trained:
        if not reaches(spec, unit.module, head):
            continue
        effects = effects_of(unit.module, head)
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
    checkpoint = state.checkpoint()
    found = strongest_readers(state.service().classifier, unit.module, unit.node, unit.channel, 4)

    def name(where: str, channel: int) -> str:
        if where == "main":
            return short(checkpoint.label(channel).words)
        module, _, convolution = where.partition(" ")
        return f"{module} {node_name(convolution)} {channel}"

    return ", ".join(f"{name(r.unit, r.channel)} {r.weight:+.2f}" for r in found)


def histogram_svg(values: np.ndarray, bins: int = 28) -> str:
    """The map's values above zero as bars with raw values below; zeros are named, not drawn."""
    flat = values.ravel()
    positive = flat[flat > 0]
    top = float(flat.max()) if len(positive) else 1.0
    counts, _ = np.histogram(positive, bins=bins, range=(0, top))
    width, tall = 280 / bins, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * width:.1f}" y="{56 - 54 * count / tall:.1f}" width="{width - 1.5:.1f}" '
        f'height="{54 * count / tall:.1f}"/>'
        for i, count in enumerate(counts)
    )
    zeros = len(flat) - len(positive)
    says = f"Histogram: {len(positive)} of {len(flat)} positions above zero, up to {number(top)}"
    return (
        f'<svg viewBox="0 0 280 88" width="280" height="88" role="img" aria-label="{says}" style="max-width:100%">'
        f'<g fill="currentColor" opacity="0.55">{bars}</g><path d="M0 57H280" stroke="currentColor" opacity="0.4"/>'
        f'<g font-size="12" fill="currentColor"><text x="0" y="71">0</text>'
        f'<text x="280" y="71" text-anchor="end">{number(top)}</text>'
        f'<text x="0" y="86" opacity="0.65">{zeros} of {len(flat)} positions are zero and not drawn</text></g></svg>'
    )


def csv_text(module: str, node: str) -> str:
    """One line per channel of the node: statistics on the current photo."""
    stats, out = stats_of(module, node), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["module", "node", "channel", "mean", "max", "spread", "active"])
    for c in range(len(stats.mean)):
        numbers = (stats.mean[c], stats.max[c], stats.spread[c], stats.active[c])
        writer.writerow([module, node, c, *(f"{float(v):.6g}" for v in numbers)])
    return out.getvalue()


def npz_bytes(module: str) -> bytes:
    """All eight nodes of the module as float32 arrays (C, H, W) by the names that `inspect` uses."""
    block, out = state.trace().block(module), io.BytesIO()
    np.savez_compressed(out, **{f"{module}/{name}": np.asarray(tensor[0]) for name, tensor in block.nodes()})
    return out.getvalue()
