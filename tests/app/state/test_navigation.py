"""Another page by the server's word: what of the old one runs by itself is gone before the new one begins."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app.asking import good


def _two_parts() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from app.state import navigation

    @st.fragment(run_every=0.5)
    def part() -> None:
        st.text("a part")

    part()
    context = get_script_run_ctx()
    assert context is not None
    known = list(context.fragment_storage._fragments)  # type: ignore[attr-defined]
    navigation.forget_parts()
    left = [name for name in known if context.fragment_storage.contains(name)]
    st.text(f"{len(known)} then {len(left)}")


def test_the_parts_of_a_page_that_is_left_are_known_no_more() -> None:
    page = good(AppTest.from_function(_two_parts, default_timeout=60).run())
    assert page.text[-1].value == "1 then 0"
