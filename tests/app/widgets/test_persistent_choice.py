"""What a widget says of itself is no choice: a default that follows another choice, and one that is on its way."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.widgets import persistent_choice as widgets


def page() -> AppTest:
    """Two choices: the default of the second is the last of as many letters as the first one says."""

    def script() -> None:
        import streamlit as st

        from app.state.options import Option
        from app.widgets.persistent_choice import persistent_choice

        many = persistent_choice(st.selectbox, "many", Option("test.many", 2), options=[2, 3, 4])
        letters = list("abcd"[:many])
        asked = Option("test.letter", "a").otherwise(letters[-1])
        persistent_choice(st.selectbox, "letter", asked, letters, options=letters)
        st.text(repr(st.session_state.get("scope.option.test.letter")))

    return AppTest.from_function(script, default_timeout=60).run()


def kept(app: AppTest) -> str:
    assert not app.exception
    return str(app.text[0].value)


def test_a_default_follows_and_is_not_kept() -> None:
    app = page()
    app.selectbox(key="test-many").select(4).run()
    assert app.selectbox(key="test-letter").value == "d"
    assert kept(app) == "None"


def test_the_browser_that_still_says_the_old_default_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(widgets.time, "monotonic", lambda: now)
    app = page()
    app.selectbox(key="test-many").select(4).run()
    app.selectbox(key="test-letter").select("b").run()  # what was shown before, in a message that crossed the answer
    assert (app.selectbox(key="test-letter").value, kept(app)) == ("d", "None")
    app.selectbox(key="test-letter").select("c").run()
    assert (app.selectbox(key="test-letter").value, kept(app)) == ("c", "'c'")


def test_a_slow_browser_may_say_the_old_default_several_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(widgets.time, "monotonic", lambda: now[0])
    app = page()
    app.selectbox(key="test-many").select(4).run()
    for _ in range(4):
        now[0] += 0.6 * widgets.STALE
        app.selectbox(key="test-letter").select("b").run()
        assert (app.selectbox(key="test-letter").value, kept(app)) == ("d", "None")


def test_somebody_who_chooses_the_old_default_later_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(widgets.time, "monotonic", lambda: now[0])
    app = page()
    app.selectbox(key="test-many").select(4).run()
    now[0] += widgets.STALE + 0.1
    app.selectbox(key="test-letter").select("b").run()
    assert (app.selectbox(key="test-letter").value, kept(app)) == ("b", "'b'")


def numbers() -> AppTest:
    """A number that the same page asks for with another limit after a click."""

    def script() -> None:
        import streamlit as st

        from app.state.options import Option
        from app.widgets.persistent_choice import persistent_choice

        most = 20 if st.checkbox("more") else 10
        persistent_choice(st.slider, "slider", Option("test.slider", 7), min_value=1, max_value=most)
        persistent_choice(st.number_input, "number", Option("test.number", 7), min_value=1, max_value=most)
        st.button("another run")

    return AppTest.from_function(script, default_timeout=60).run()


def test_a_run_that_changes_nothing_leaves_what_is_being_typed() -> None:
    app = numbers()
    for _ in range(2):
        assert [app.slider[0].proto.set_value, app.number_input[0].proto.set_value] == [False, False]
        assert [app.slider[0].value, app.number_input[0].value] == [7, 7]
        app.button[0].click().run()


def test_a_widget_of_other_limits_shows_the_kept_value() -> None:
    app = numbers()
    app.slider[0].set_value(5).run()
    app.number_input[0].set_value(6).run()
    app.checkbox[0].check().run()
    assert [app.slider[0].value, app.number_input[0].value] == [5, 6]
    assert list(app.slider[0].proto.default) == [5.0]  # it is new to the browser, with other limits


def everything() -> AppTest:
    """One widget of each kind, none at its own first value."""

    def script() -> None:
        from functools import partial

        import streamlit as st

        from app.state.options import Option
        from app.widgets.persistent_choice import persistent_choice

        letters, two = list("abcd"), ("b", "d")
        persistent_choice(st.selectbox, "letter", Option("test.letter", "c"), letters, options=letters)
        persistent_choice(st.selectbox, "none", Option("test.none", None), options=letters, index=None)
        persistent_choice(
            st.selectbox, "typed", Option("test.typed", "night"), options=letters, accept_new_options=True
        )
        persistent_choice(st.segmented_control, "one", Option("test.one", "c"), letters, options=letters)
        persistent_choice(partial(st.pills, selection_mode="multi"), "some", Option("test.some", two), options=letters)
        persistent_choice(st.multiselect, "several", Option("test.several", two), options=letters)
        persistent_choice(st.toggle, "switch", Option("test.switch", True))
        persistent_choice(st.slider, "slider", Option("test.slider", 7), min_value=1, max_value=9)
        persistent_choice(st.number_input, "number", Option("test.number", 7), min_value=1, max_value=9)
        st.button("another run")

    return AppTest.from_function(script, default_timeout=60).run()


def test_a_new_widget_shows_what_is_kept_whichever_run_reaches_the_browser() -> None:
    """What the first run draws is thrown away where the next one begins before it is sent."""
    app = everything()
    for _ in range(3):
        assert not app.exception
        shown = [box.proto.options[box.proto.default] for box in app.selectbox if box.proto.HasField("default")]
        assert (shown, app.selectbox(key="test-none").value) == (["c", "night"], None)
        groups = [list(group.proto.default) for group in app.get("button_group")]
        assert groups == [[2], [1, 3]]
        assert list(app.multiselect[0].proto.default) == [1, 3]
        assert app.toggle[0].proto.default
        assert (list(app.slider[0].proto.default), app.number_input[0].proto.default) == ([7.0], 7.0)
        app.button[0].click().run()
