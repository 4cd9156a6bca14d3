"""Module: one Inception module on the current photo, branch by branch, channel by channel."""

import streamlit as st

from app import theme
from app.figures import network_line
from app.jobs import credit_order
from app.state import link_values, network, options, selection, session, tiles
from app.state.panel import Panel, Panels, panels
from app.templates import as_text, render, style_tag
from app.views.module import (
    ablation_panel,
    atlas,
    channel,
    circuit,
    class_search,
    concepts,
    favourites,
    figure_tiles,
    specialisation,
    stimulus_bench,
)
from app.views.module.atlas import View
from app.widgets import filmstrip, halves, present, shown_value, teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.drawing.numbers import number
from inception_model.serving.service import BusyError

SORT_NAMES = {"index": "index", "mean": "mean", "max": "maximum", "spread": "spread", "credit": "credit"}
SHOW_NAMES = {"photo": "activation on this photo", "tiles": "what it looks for"}
SCALE_NAMES = {"shared": "shared", "channel": "per channel"}


def module_strip() -> None:
    """The nine modules; a click goes to one of them."""

    def changed() -> None:
        selection.set_module(st.session_state["module-strip"], selection.branch())

    shown_value.draw(
        st.segmented_control, "Module", "module-strip", selection.module(),
        options=network.spec().module_names, required=True, on_change=changed, wrap=True,
    )  # fmt: skip


def sentence(shown: Panels, module: str, view: View) -> str:
    """What one sees, with this photo's numbers."""
    block = network.spec().block(module)
    if view.tiles:
        made, whole = tiles.made_in(module)
        so_far = f" {made} of {whole} are made so far; {tiles.maker()} makes the rest." if made < whole else ""
        return (
            f"What the channels of Figure 2(b) look for: {block.in_channels} come in, the four branches make "
            f"{block.out_channels} of them.{so_far} Each picture is noise, changed until its channel answers strongly; "
            "it is shown large under the pointer and in the panel. (Olah et al. 2017; paper, section 4.)"
        )
    if view.scale == "channel":
        scale = "Every channel has its own scale, from 0 to its own maximum."
    else:
        tops = {name: number(atlas.shared_scale(shown, module, name)) for name in ("output", "3x3_reduce", "input")}
        scale = (
            f"One scale from 0 to {tops['output']} for the four branches, one to {tops['3x3_reduce']} for the "
            "reductions."
        )
    return (
        f"Figure 2(b) as it ran on your photo, upwards: {block.in_channels} channels come in, the 1×1 reductions make "
        f"{block.three_reduce} and {block.five_reduce} of them, four branches make {block.out_channels}. {scale} "
        f"{credit_order.in_words(shown[0], module, view.credit) + ' ' if view.credit else ''}"
        "Pick a cell to see the channel on the photo. (Paper, section 4 and Table 1.)"
    )


def view_choices(panel: Panel, module: str) -> View:
    """Order and scale of the atlases; credit is offered where a trained head lies behind the module."""
    shown = tiles.version() if session.option(options.MODULE_SHOW) == "tiles" else ""
    about = credit_order.asked(panel, module)
    sorts = [name for name in SORT_NAMES if about or name != "credit"]
    sort = persistent_choice(
        st.segmented_control, "Order by", options.MODULE_SORT, sorts,
        options=sorts, format_func=SORT_NAMES.get, required=True, wrap=True,
    )  # fmt: skip
    scale = persistent_choice(
        st.segmented_control, "Scale", options.MODULE_SCALE, SCALE_NAMES,
        options=list(SCALE_NAMES), format_func=SCALE_NAMES.get, required=True, wrap=True,
    )  # fmt: skip
    opened = session.option(options.MODULE_OPENED)
    if sort != "credit":
        return View(sort, scale, opened, tiles=shown)
    if about is None:
        return View(scale=scale, opened=opened, tiles=shown)
    try:
        credit_order.credits_of(panel, module, about)
    except BusyError as error:
        st.warning(str(error))
        return View(scale=scale, opened=opened, tiles=shown)
    return View(scale=scale, opened=opened, credit=about, tiles=shown)


def figure_switch(module: str, view: View) -> None:
    """What cells show; where there are no tiles, why."""
    show = persistent_choice(
        st.segmented_control, "Cells show", options.MODULE_SHOW, SHOW_NAMES, options=list(SHOW_NAMES),
        format_func=SHOW_NAMES.get, required=True, wrap=True, label_visibility="collapsed",
    )  # fmt: skip
    if show == "tiles" and (missing := figure_tiles.missing(module, view.opened)):
        st.html(render("say.html", text=missing))


@st.fragment
def microscope() -> None:
    """Draws everything below the filmstrip: the line of the network, the choices of module, order and scale, a heading
    and a sentence, the module's atlases, the picked channel's card with the branches at its position, the kept
    channels, the circuit, the search by class, the concepts, what switching parts off changes, the stimulus bench,
    and how the module's branches specialise.

    A Streamlit fragment: a pick or a choice in it runs this function alone again, not the filmstrip, the sidebar or
    the navigation. The open bench and the card's charts, which come later, are fragments of their own within it. The
    whole page runs again when the line of the network leads to another page, when a picture of the bench becomes the
    photo, and when work whose progress is shown has ended.
    """
    shown, module = panels(), selection.module()
    first = shown[0]
    with st.container(key="module-split"):
        left, right = st.columns([7, 3], gap="medium")
    with left:
        network_line.show("module")
        st.html(style_tag("module_strip"))
        with st.container(horizontal=True, key="module-choices", gap="medium"):
            module_strip()
            view = view_choices(first, module)
        theme.heading(f"Inside {module}", sentence(shown, module, view))
        figure_switch(module, view)
        unit = channel.current_unit(shown, first)
        halves.halves(shown, lambda panel, _: atlas.show(shown, panel, view, (unit.node, unit.channel)))
        teach.note("module")
    with right:
        channel.show(shown, view)
    if present.on():
        return
    with left:
        channel.show_position(shown)
        halves.alone(shown)
        favourites.show(first)
        circuit.show(first, unit)
        class_search.show(first)
        concepts.show(first, unit)
        ablation_panel.show(first, unit)
        stimulus_bench.show(unit)
        specialisation.show(unit)


if unknown := link_values.unknown_unit(st.query_params.to_dict(), network.checkpoint()):
    st.warning(as_text(unknown))
filmstrip.strip("module-film")  # noqa: B005 - the filmstrip
atlas.forget_figure()
microscope()
