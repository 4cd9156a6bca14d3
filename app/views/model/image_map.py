"""Where the photo lies among the images of an index, by the features that the main head reads."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import theme
from app.charts.image_map import HEIGHT, Scatter, image_map_figure, image_map_words
from app.jobs import examples as jobs
from app.state import examples, network
from app.state.operator import DATA, INDEX
from app.state.panel import Panel, panels
from app.templates import render
from app.widgets import chart
from app.widgets.inline_svg import draw
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.numbers import short
from inception_model.examples.folder import IndexFolderError
from inception_model.examples.index import Index
from inception_model.examples.mapping import NEIGHBOURS, ImageMap

COMMAND = "inceptionscope index DATA --out FOLDER"
NEAREST = 6
"""Images that are shown as the photo's nearest."""


def show() -> None:
    """The section; without an index one quiet line that says how to make one."""
    theme.heading("Your photo among others", "Images lie close together where the last module's features are alike.")
    try:
        found = examples.index()
    except (CheckpointError, IndexFolderError) as error:
        _say(f"No index is shown: {error}.")
        return
    if found is None or found.map is None:
        _say(f"No images are known to lie it among. {COMMAND} looks at those of a folder, and {INDEX} names it here.")
        return
    _of(found, found.map)


def _of(found: Index, known: ImageMap) -> None:
    panel = panels()[0]
    drawn = scatter(found, known, panel)
    st.html(render("say.html", text=sentence(found, known, panel, drawn)))
    chart.later(partial(image_map_figure, drawn), HEIGHT, "model-images", image_map_words(drawn), "images")
    nearest = known.alike(features_of(panel), NEAREST)
    crops = [crop for image in nearest if (crop := jobs.whole(found, image)) is not None]
    names = ", ".join(short(network.label(int(found.labels[image]))) for image in nearest)
    title, how = "Nearest on the map", "on the map"
    if known.features is not None:
        title, how = "Most alike", f"by all {known.features.shape[1]:,} features (cosine)"
    part = (title, crops, f"Nearest {how}." if crops else f"Nearest {how}: {names}.")
    draw(render("module_strongest.html", parts=[part], unit="near the photo"), "model-nearest")
    if problem := examples.data_problem(found):
        _say(f"Images are not drawn, see {DATA}: {problem}.")


def scatter(found: Index, known: ImageMap, panel: Panel) -> Scatter:
    """What the chart draws for a panel's photo."""
    trace, heads = panel.trace(), [head for head in network.trained_heads() if head in found.answers]
    same = {str(head): found.answers[head][known.images] == int(trace.logits(head)[0].argmax()) for head in heads}
    axes = tuple(f"{axis}, {share:.0%} of the variance" for axis, share in zip(_AXES, known.explained, strict=False))
    if len(axes) != 2:
        axes = "UMAP, first dimension", "second"
    names = [_name(found, int(image)) for image in known.images]
    return Scatter(known.points, names, same, panel.photo.name, known.place(features_of(panel)), (axes[0], axes[1]))


_AXES = ("first principal component", "second")


def _name(found: Index, image: int) -> str:
    """What an image shows, and what the heads answer about it."""
    says = ", ".join(
        f"{head} {short(network.label(int(classes[image])))} {float(found.probabilities[head][image]):.0%}"
        for head, classes in found.answers.items()
    )
    return f"{short(network.label(int(found.labels[image])))}: {says}"


def features_of(panel: Panel) -> NDArray[np.float32]:
    """The last module's averages on a panel's photo (C,)."""
    output = panel.trace().block(network.spec().module_names[-1]).output[0]
    return np.asarray(output.mean(dim=(1, 2)), dtype=np.float32)


def sentence(found: Index, known: ImageMap, panel: Panel, drawn: Scatter) -> str:
    """What is drawn, in numbers, and how far to believe it."""
    counts = ", ".join(
        f"{head} ({short(network.label(int(panel.trace().logits(head)[0].argmax())))}) {int(chosen.sum())}"
        for head, chosen in drawn.same.items()
    )
    how = (
        f"The two directions hold {sum(known.explained):.0%} of what tells the features apart: what lies together here "
        "may be far apart in the others."
        if known.explained
        else f"Placed by UMAP (McInnes et al. 2018), the photo in the middle of its {NEIGHBOURS} nearest; only who is "
        "near whom means something, not how far."
    )
    return (
        f"{found.used:,} images ({found.source}), one point each. Rings: images that a head answers as it answers the "
        f"photo: {counts}. {how}"
    )


def _say(text: str) -> None:
    st.html(render("caption.html", text=text))
