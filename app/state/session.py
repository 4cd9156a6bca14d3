"""What one visitor's session keeps between runs and pages, and the address that follows it."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import streamlit as st

from app.state import links, room
from app.state.options import Option
from inception_model.images.decode import Photo
from inception_model.images.samples import sample_photos
from inception_model.images.stimuli import sample_stimuli

T = TypeVar("T")


def get(name: str, default: Any) -> Any:
    """What is kept under a name, or the default."""
    return st.session_state.get(f"scope.{name}", default)


def put(name: str, value: Any) -> None:
    """Keeps a value; the address follows where it speaks of it."""
    st.session_state[f"scope.{name}"] = value
    if name in links.NAMES:
        follow_view()


def option(wanted: Option[T]) -> T:
    """A choice on one page, or its default as long as nothing was chosen."""
    return cast(T, get(wanted.state_name, wanted.default))


def set_option(chosen: Option[T], value: T) -> None:
    """Keeps a choice made on one page, in a whole run of it or in that of a part."""
    room.active()
    put(chosen.state_name, value)


def follow_view() -> None:
    """Makes the browser's address say what is looked at: a link to this view.

    Not while Back or Forward goes through the history: writing there would cut off the way that it came.
    """
    if not links.by_history():
        links.follow(lambda name: get(name, None), named_photos())


def named_photos() -> tuple[Photo, ...]:
    """What everybody has: the samples, then the generated pictures."""
    return *sample_photos(), *sample_stimuli()
