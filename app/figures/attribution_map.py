"""One attribution as a picture on the photo, signed, with its colour bar, and its sums in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from markupsafe import Markup
from PIL import Image

from app.jobs.attribution import words_of
from app.state import network
from app.state.panel import Panel
from app.static import script, style
from app.templates import render
from inception_model.attribution import METHODS, Attribution
from inception_model.attribution.lrp import COMPOSITES
from inception_model.attribution.reading import unit_of
from inception_model.drawing import overlay
from inception_model.drawing.colormaps import colour_bar, full_scale, layer
from inception_model.drawing.encoding import data_url, jpeg_bytes, png_bytes
from inception_model.drawing.numbers import number, signed

_FIGURE = st.components.v2.component(
    "scope_attribution_map",
    html=render("drawing.html"),
    css=style("attribution_map"),
    js=script("attribution_map"),
)
_SIDE = 224
"""Positions across a map as it is sent; the browser stretches them."""

"""Where the colours end: single pixels can be so strong that nothing else would have a colour."""


def scale_of(attribution: Attribution, ends: str) -> float:
    """Where the colours end, in the map's own unit (one of ENDS)."""
    values = np.abs(attribution.heatmap.numpy())
    return full_scale(values) if ends == "largest" else float(np.quantile(values, 0.99, method="higher"))


@dataclass(frozen=True)
class Layers:
    """What lies over each other: the photo, and on the part of it that the network saw the map and a line.

    `place`: that part as left, top, width and height in shares of the photo. `lines`: around the strongest values, as a
    path in a square of side 1.
    """

    photo: str
    size: tuple[int, int]
    map: str
    place: tuple[float, float, float, float]
    lines: str


def layers(panel: Panel, attribution: Attribution, scale: float, side: int) -> Layers:
    """The panel's photo of at most `side` pixels, and the signed map as clear colours."""
    photo, heatmap = overlay.fitted(panel.photo.image, side), attribution.heatmap.numpy()
    square = panel.photo.square_on(photo.size)
    seen = network.checkpoint().preprocessing.view(photo.size, square).clipped(photo.size)
    overlay.frame_view(photo, seen)
    drawn = Image.fromarray(layer(overlay.map_on_view(heatmap, (_SIDE, _SIDE)), scale))
    width, height = photo.size
    return Layers(
        data_url(jpeg_bytes(photo, quality=88), "image/jpeg"),
        photo.size,
        data_url(png_bytes(drawn)),
        (seen.left / width, seen.top / height, seen.width / width, seen.height / height),
        " ".join("M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in line) + "Z" for line in overlay.strongest(heatmap)),
    )


def show(
    panel: Panel,
    attribution: Attribution,
    title: str,
    key: str,
    *,
    scale: float,
    side: int = 640,
) -> None:
    """The map with its title, its colour bar and what the colours leave out. How strong the map lies on the photo is
    the browser's to choose, and the same for all maps; while the photo is pressed it is seen alone."""
    values = attribution.heatmap.numpy()
    top = full_scale(values)
    over = float((np.abs(values) > scale).mean()) if scale else 0.0
    note = f"Largest {number(top)}; {over:.1%} of the map lies beyond the colours' ends." if over else ""
    says = (
        f"{title}: a signed map on {panel.photo.name}, "
        f"{(values > 0).mean():.0%} of it speaks for {words_of(attribution.target)}, "
        f"{(values < 0).mean():.0%} against"
    )
    drawn = panel.remember(
        ("why", "picture", key, attribution.method, attribution.head, attribution.target, attribution.layer,
         attribution.baseline, tuple(attribution.options.items()), scale, side),
        lambda: layers(panel, attribution, scale, side),
    )  # fmt: skip
    head, _, rest = title.partition(" · ")
    bar = Markup(colour_bar(scale, "layer", unit_of(attribution.method)))  # numbers and a unit of the library's own
    figure = render(
        "attribution_map.html", side=side, head=head, rest=rest, layers=drawn, alt=says, colour_bar=bar, note=note
    )
    _FIGURE(key=panel.widget_key(key), data={"html": figure})


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
        rows["one sign" if attribution.all_positive else "all negative"] = attribution.note
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
