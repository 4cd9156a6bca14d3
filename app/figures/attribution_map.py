"""One attribution as a picture on the photo, signed, with its colour bar, and its sums in words."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from PIL import Image

from app.jobs.attribution import words_of
from app.state import network
from app.state.panel import Panel
from app.templates import render
from app.widgets.inline_svg import draw
from inception_model.attribution import METHODS, Attribution
from inception_model.attribution.lrp import COMPOSITES
from inception_model.attribution.reading import unit_of
from inception_model.drawing.colormaps import colour_bar, full_scale
from inception_model.drawing.encoding import data_url, jpeg_bytes
from inception_model.drawing.numbers import number, signed
from inception_model.drawing.overlay import map_on_photo

ENDS = {"99%": "99% of values", "largest": "largest value"}
"""Where the colours end: single pixels can be so strong that nothing else would have a colour."""


def scale_of(attribution: Attribution, ends: str) -> float:
    """Where the colours end, in the map's own unit (one of ENDS)."""
    values = np.abs(attribution.heatmap.numpy())
    return full_scale(values) if ends == "largest" else float(np.quantile(values, 0.99, method="higher"))


def picture(panel: Panel, attribution: Attribution, scale: float, strength: float, side: int) -> Image.Image:
    """The panel's photo in its own proportions, the signed map on the part that the network saw, and its frame."""
    return map_on_photo(
        panel.photo.image, attribution.heatmap.numpy(), network.checkpoint().preprocessing,
        scale=scale, alpha=strength, side=side,
    )  # fmt: skip


def show(
    panel: Panel,
    attribution: Attribution,
    title: str,
    key: str,
    *,
    scale: float,
    strength: float = 0.6,
    side: int = 640,
) -> None:
    """The map with its title, its colour bar and what the colours leave out."""
    values = attribution.heatmap.numpy()
    top = full_scale(values)
    over = float((np.abs(values) > scale).mean()) if scale else 0.0
    note = f"Largest {number(top)}; {over:.1%} of the map lies beyond the colours' ends." if over else ""
    says = (
        f"{title}: a signed map on {panel.photo.name}, "
        f"{(values > 0).mean():.0%} of it speaks for {words_of(attribution.target)}, "
        f"{(values < 0).mean():.0%} against"
    )
    source = panel.remember(
        ("why", "picture", key, attribution.method, attribution.head, attribution.target, attribution.layer,
         attribution.baseline, tuple(attribution.options.items()), scale, strength, side),
        lambda: data_url(jpeg_bytes(picture(panel, attribution, scale, strength, side), quality=88), "image/jpeg"),
    )  # fmt: skip
    head, _, rest = title.partition(" · ")
    bar = Markup(colour_bar(scale, "signed", unit_of(attribution.method)))  # numbers and a unit of the library's own
    figure = render(
        "attribution_map.html", side=side, head=head, rest=rest, source=source, alt=says, colour_bar=bar, note=note
    )
    draw(figure, panel.widget_key(key))


def facts(attribution: Attribution) -> dict[str, str]:
    """Score, baseline score, sum and what it misses, for `theme.key_values`."""
    target = words_of(attribution.target)
    rows = {"score": f"{signed(attribution.score)} logits for {target} at {attribution.head}"}
    if attribution.baseline_score is not None:
        rows["baseline"] = f"{signed(attribution.baseline_score)} logits on {attribution.baseline}"
    rows["sum"] = f"{signed(attribution.total)}: all values of the map added up"
    rows["completeness"] = completeness_words(attribution)
    path = attribution.integration
    if path is not None:
        doubled = "" if path.moved is None else f" Its last doubling moved the map by {path.moved:.1%} of its norm."
        rows["path"] = f"{path.words}{doubled}"
    if attribution.conservation is not None:
        composite = COMPOSITES[attribution.conservation.composite]
        rows["composite"] = f"{composite.words} ({composite.source}.)"
    if attribution.note:
        rows["all negative"] = attribution.note
    rows["took"] = f"{attribution.seconds:.2f} s"
    return rows


def completeness_words(attribution: Attribution) -> str:
    """Whether the sum is what it should be."""
    if attribution.conservation is not None:
        return attribution.conservation.sentence
    if attribution.completeness_error is None or attribution.baseline_score is None:
        return f"not promised: {METHODS[attribution.method].label} need not add up to the score"
    wanted = attribution.score - attribution.baseline_score
    error = attribution.completeness_error
    verdict = "closes" if error <= 0.01 else "does not close"
    return f"the sum should be {signed(wanted)} (score minus baseline) and {verdict}: {error:.2%} off"
