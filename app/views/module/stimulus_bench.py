"""The stimulus bench: a picture made with sliders, what the picked channel answers to it, and its tuning curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from markupsafe import Markup

from app import theme
from app.charts.tuning import tuning_figure, tuning_words
from app.jobs.channels import field_of
from app.jobs.stimuli import map_of, tuning_job
from app.state import network, options, photos, session
from app.state.selection import Unit
from app.templates import render
from app.widgets import chart, progress, teach
from app.widgets.inline_svg import draw
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.selectivity import Tuning
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.colormaps import colour_bar, full_scale
from inception_model.drawing.encoding import data_url, jpeg_bytes, png_bytes
from inception_model.drawing.numbers import number
from inception_model.drawing.overlay import Grid, overlay_on_photo
from inception_model.drawing.palette import node_name
from inception_model.images.geometry import Box
from inception_model.images.patterns import COLOUR_AXES, Stimulus
from inception_model.images.stimuli import FAMILIES, as_photo, describe, make
from inception_model.serving.service import BusyError

FAMILY_NAMES = {
    "grating": "grating",
    "edge": "edge",
    "dots": "dots",
    "arcs": "arcs",
    "patch": "colour patch",
    "checkerboard": "checkers",
}


def show(unit: Unit) -> None:
    """The bench behind its switch: closed, it costs nothing."""
    theme.heading(
        f"Stimulus bench for {name_of(unit)}",
        "Pictures with one property at a time say what a channel answers to, which a photo cannot. They are fed whole, "
        "224 pixels wide; the numbers do not depend on the photo. (Paper, section 2: fixed Gabor filters came before.)",
    )
    if persistent_choice(st.toggle, "Open the bench", options.BENCH_OPEN):
        _bench(unit)


def name_of(unit: Unit) -> str:
    """The picked channel in the paper's words."""
    return f"channel {unit.channel} of {unit.module} {node_name(unit.node)}"


def colour_of(unit: Unit) -> str:
    """The palette's name for the branch that the channel belongs to; input and concatenation have none."""
    kind = unit.node.partition("_")[0]
    return f"b{kind}" if kind in BRANCHES else "ink"


@st.fragment
def _bench(unit: Unit) -> None:
    """Draws the choice of stimulus, the picture and the channel's map over it, a slider per parameter, and the tuning
    curve along one of them; where the service is busy, a warning in place of pictures and curve.

    A Streamlit fragment within the page's own: a slider or a choice in it runs this function alone again, with the
    `unit` it had; a pick of another channel runs the fragment around it, which draws this one anew. The whole page
    runs again on `Look at this picture`, and when a curve that took longer than its wait has ended.
    """
    left, right = st.columns(2, gap="medium")
    with left:
        family = _family()
        pictures = st.container()
        if st.button("Look at this picture", help="It joins the filmstrip and becomes the photo of every page"):
            picture = as_photo(make(family, **_chosen(family)), network.checkpoint().preprocessing)
            if why := photos.no_room_for(picture):
                st.warning(
                    f"This picture was not taken, because {why} and none is dropped for another. Take your photos away "
                    "on the page Look to begin again."
                )
            else:
                photos.add_photo(picture)
                st.rerun()
    with right:
        chosen = _sliders(family)
    stimulus = make(family, **chosen)
    try:
        answer = map_of(unit, stimulus)
    except BusyError as error:
        st.warning(str(error))
        return
    with pictures:
        _pictures(unit, stimulus, answer)
    _curve(unit, family, chosen, float(answer.mean()))


def _family() -> str:
    return persistent_choice(
        st.segmented_control, "Stimulus", options.BENCH_FAMILY, FAMILIES,
        options=list(FAMILIES), format_func=FAMILY_NAMES.get, required=True, wrap=True,
    )  # fmt: skip


def _chosen(family: str) -> dict[str, Any]:
    """Every parameter of the stimulus as it was left, for each family its own."""
    names = [*FAMILIES[family].RANGES, *(("axis",) if hasattr(make(family), "axis") else ())]
    return {name: session.option(options.of_stimulus(family, name)) for name in names}


def _sliders(family: str) -> dict[str, Any]:
    """A slider per number, and the colour axis where there is one; returns what is chosen."""
    chosen = _chosen(family)
    for name, allowed in FAMILIES[family].RANGES.items():
        persistent_choice(
            st.slider, f"{name.capitalize()}, {allowed.unit}", options.of_stimulus(family, name),
            min_value=float(allowed.low), max_value=float(allowed.high), step=float(allowed.step), format="%g",
        )  # fmt: skip
    if "axis" in chosen:
        persistent_choice(
            st.segmented_control, "Colour axis", options.of_stimulus(family, "axis"), COLOUR_AXES,
            options=list(COLOUR_AXES), required=True, wrap=True,
        )  # fmt: skip
    return chosen


def _pictures(unit: Unit, stimulus: Stimulus, answer: np.ndarray) -> None:
    """The stimulus, and the channel's map over it."""
    picture, field = stimulus.image(), field_of(unit)
    scale = full_scale(answer)
    over = overlay_on_photo(
        picture, answer, Box(0, 0, *picture.size), scale=scale, alpha=0.85, smooth=False,
        grid=Grid(field.start, field.jump, picture.width),
    )  # fmt: skip
    rows, columns = answer.shape
    active = int(np.count_nonzero(answer > 0))
    said = (
        f"mean {number(float(answer.mean()))}, maximum {number(scale)}, {active} of {rows * columns} positions active"
    )
    drawn = render(
        "module_bench.html",
        picture=data_url(png_bytes(picture)),
        over=data_url(jpeg_bytes(over, quality=88), "image/jpeg"),
        about=describe(stimulus),
        channel=name_of(unit),
        said=said,
        scale=Markup(colour_bar(scale, unit="activation, raw")),
    )
    draw(drawn, "bench-pictures")


def _curve(unit: Unit, family: str, chosen: dict[str, Any], answer: float) -> None:
    """The tuning curve along one parameter, the others as they stand."""
    left, right = st.columns(2, gap="medium", vertical_alignment="center")
    names = list(FAMILIES[family].RANGES)
    with left:
        along = persistent_choice(
            st.segmented_control, "Tuning curve along", options.tuned_along(family), names,
            options=names, required=True, wrap=True,
        )  # fmt: skip
        fixed = {name: value for name, value in chosen.items() if name != along}
        job = tuning_job(unit.module, family, along, fixed)
        tuning: Tuning | None = progress.answer(None, "bench-tuning", job, "Tuning curve", patience=2.0)
        if tuning is None:
            return
        curve = tuning.curve(unit.node, unit.channel)
        words = tuning_words(curve, chosen[along], answer)
        chart.show(tuning_figure(curve, chosen[along], answer, colour_of(unit)), "bench-curve", words, "tuning-curve")
    with right:
        said = f"{words} Dots: measured; dashed: grey; ring: the picture above."
        st.html(render("say.html", text=said))
        teach.note("bench")
