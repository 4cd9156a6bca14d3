"""A place in the network as a choice: a module, then a branch of it, then a channel of that; or everything."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.state import network, session
from app.state.options import WHOLE, Option
from app.widgets import shown_value
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.palette import BRANCH_NAMES


def place_choice(label: str, option: Option[str], modules: Sequence[str], *, help: str) -> str:
    """Draws the choice, kept as text such as `4d:5x5:17` (the default: everything), and returns that text.

    A kept place in a module that is not among `modules` counts as everything.
    """
    everything, key = option.default, option.name.replace(".", "-")
    module, branch, channel = _read(session.option(option), modules, everything)
    keys = [f"{key}-{part}" for part in ("module", "branch", "channel")]

    def changed() -> None:
        chosen = [st.session_state.get(name) for name in keys]
        session.set_option(option, _text(chosen[0], chosen[1], chosen[2], everything))

    shown_value.draw(st.selectbox, label, keys[0], module, options=[everything, *modules], on_change=changed, help=help)
    if module == everything:
        return everything
    left, right = st.columns(2, gap="small")
    names: dict[str, str] = {WHOLE: WHOLE, **BRANCH_NAMES}
    with left:
        shown_value.draw(
            st.selectbox, "Branch", keys[1], branch,
            options=list(names), format_func=names.__getitem__, on_change=changed,
        )  # fmt: skip
    if branch != WHOLE:
        width = _width(module, branch)
        with right:
            shown_value.draw(
                st.number_input, f"Channel, 0 to {width - 1}", keys[2], channel,
                min_value=0, max_value=width - 1, step=1, placeholder="all", on_change=changed,
            )  # fmt: skip
    return _text(module, branch, channel, everything)


def _read(text: str, modules: Sequence[str], everything: str) -> tuple[str, str, int | None]:
    module, _, rest = text.partition(":")
    if module not in modules:
        return everything, WHOLE, None
    branch, _, number = rest.partition(":")
    if branch not in BRANCHES:
        return module, WHOLE, None
    return module, branch, int(number) if number.isdecimal() and int(number) < _width(module, branch) else None


def _text(module: str | None, branch: str | None, channel: int | None, everything: str) -> str:
    if module is None or module == everything:
        return everything
    if branch is None or branch == WHOLE:
        return module
    if channel is None or channel >= _width(module, branch):
        return f"{module}:{branch}"
    return f"{module}:{branch}:{channel}"


def _width(module: str, branch: str) -> int:
    return network.spec().block(module).width(BRANCHES[BRANCHES.index(branch)])
