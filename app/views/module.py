"""Module: one Inception module on the current photo, branch by branch, channel by channel."""

import streamlit as st

from app import state, theme
from app.components import ablation_panel, atlas_view, channel_view, photo_bar
from app.components.atlas_view import View
from inception_model.rendering import number

SORT_NAMES = {"index": "index", "mean": "mean", "max": "maximum", "spread": "spread"}
SCALE_NAMES = {"shared": "shared", "channel": "per channel"}


def kept(label: str, names: dict[str, str], option: str, default: str) -> str:
    """A segmented control whose choice outlives a page change."""
    key = f"choice-{option}"

    def changed() -> None:
        state.set_option(option, st.session_state[key])

    chosen = state.option(option, default)
    st.session_state[key] = chosen
    st.segmented_control(
        label, list(names), format_func=names.get, key=key, required=True, on_change=changed, wrap=True
    )
    return chosen


def module_strip() -> None:
    """The nine modules; a click goes to one of them."""

    def changed() -> None:
        state.set_selected_module(st.session_state["module-strip"], state.selected_branch())

    st.session_state["module-strip"] = state.selected_module()
    names = state.spec().module_names
    st.segmented_control("Module", names, key="module-strip", required=True, on_change=changed, wrap=True)


def sentence(module: str, view: View) -> str:
    """What one sees, with this photo's numbers."""
    block = state.spec().block(module)
    if view.scale == "channel":
        scale = "Every channel has its own scale, from 0 to its own maximum."
    else:
        tops = {name: number(atlas_view.shared_scale(module, name)) for name in ("output", "3x3_reduce", "input")}
        scale = (
            f"One scale from 0 to {tops['output']} for the four branches, one to {tops['3x3_reduce']} for the "
            "reductions."
        )
    return (
        f"Figure 2(b) as it ran on your photo, upwards: {block.in_channels} channels come in, the 1×1 reductions make "
        f"{block.three_reduce} and {block.five_reduce} of them, four branches make {block.out_channels}. {scale} "
        f"Pick a cell to see the channel on the photo. (Paper, section 4 and Table 1.)"
    )


@st.fragment
def microscope() -> None:
    """Everything below the filmstrip; a pick reruns only this."""
    module = state.selected_module()
    st.html("<style>@media (max-width: 767px) { .st-key-module-strip button { padding: 0 7px; } }</style>")
    with st.container(horizontal=True, key="module-choices", gap="medium"):
        module_strip()
        sort = kept("Order by", SORT_NAMES, "module.sort", "index")
        scale = kept("Scale", SCALE_NAMES, "module.scale", "shared")
    view = View(sort, scale, state.option("module.opened", ()))  # type: ignore[arg-type]
    theme.heading(f"Inside {module}", sentence(module, view))
    unit = channel_view.current_unit()
    atlas_view.show(view, (unit.node, unit.channel))
    channel_view.show(view)
    ablation_panel.show(unit)


photo_bar.strip("module-film")  # noqa: B005 - the filmstrip
atlas_view.forget_figure()
microscope()
