"""Chosen classes when another network is chosen: the same class under its new number, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.state import classes, options
from inception_model.architecture.labels import Label
from tests.app.shell import drawn

BEFORE = [Label(0, "n1", "cat"), Label(1, "n2", "dog"), Label(2, "n3", "cup")]
AFTER = [Label(0, "n9", "bus"), Label(1, "n3", "cup"), Label(2, "n1", "cat")]


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        (options.HEADS_CLASS, 0, 2), (options.HEADS_CLASS, 1, "auto"), (options.SEARCH_CLASS, 2, 1),
        (options.FOOL_TOWARDS, 1, "any"), (options.WHY_CLASS, "0", "2"), (options.WHY_MINUS, "1", None),
        (options.WHY_CLASS, "700", None), (options.HEADS_CLASS, "auto", "auto"), (options.SEARCH_CLASS, None, None),
    ],
)  # fmt: skip
def test_a_class_is_followed_by_its_wordnet_id(kept: dict[str, Any], option: Any, value: Any, wanted: Any) -> None:
    kept[option.state_name] = value
    classes.follow(BEFORE, AFTER)
    assert kept[option.state_name] == wanted
    assert type(kept[option.state_name]) is type(wanted)
    classes.follow(AFTER, AFTER)
    assert kept[option.state_name] == wanted


def test_every_choice_of_a_class_follows() -> None:
    known = {name for name, value in vars(options).items() if isinstance(value, options.Option)}
    chosen = {name for name in known if any(getattr(options, name) is choice for choice in classes.CHOSEN)}
    assert chosen == {"SEARCH_CLASS", "HEADS_CLASS", "FOOL_TOWARDS", "WHY_CLASS", "WHY_MINUS"}


def test_a_class_that_this_network_has_not_is_none_for_a_class_room_too(page: Callable[..., AppTest]) -> None:
    shown = page("heads", beside=None, present=True, heads__class=9999)
    assert "How the answer forms" in drawn(shown)


def test_a_class_room_sees_both_photos(page: Callable[..., AppTest]) -> None:
    shown = drawn(page("look", present=True))
    assert shown.count('class="scope-heads"') == 2
    assert "cat" in shown
    assert "espresso" in shown
