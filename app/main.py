"""The app: `streamlit run app/main.py`. Navigation on top, the choice of network in the sidebar."""

from __future__ import annotations

import sys
from pathlib import Path

# Streamlit puts this script's folder on the path; the packages `app` and `inception_model` lie one above.
ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from app import sidebar, theme  # noqa: E402
from app.jobs import background  # noqa: E402
from app.state import link_values, links, memory, navigation, network, room  # noqa: E402
from app.state.navigation import PAGES  # noqa: E402
from app.state.panel import panels  # noqa: E402
from app.templates import render  # noqa: E402
from app.widgets import copy_link, door, filmstrip, history, kept_photos, present, skip, stories, teach, tour  # noqa: E402


def main() -> None:
    """One run of the script."""
    st.set_page_config(page_title="InceptionScope", layout="wide", initial_sidebar_state="collapsed")
    theme.apply()
    pages = {
        name: st.Page(
            f"views/{name}/page.py",
            title=name.capitalize(),
            url_path=name if name != PAGES[0] else "",
            default=name == PAGES[0],
        )
        for name in PAGES
        if (ROOT / "app" / "views" / name / "page.py").is_file()
    }
    # The first page lives at the root; who types its name gets there as well, with everything that the link says.
    alias = st.Page(_nothing, title="Look", url_path=PAGES[0], visibility="hidden")
    full = room.place_at_the_door()
    page = st.navigation([*pages.values(), alias], position="hidden" if full else "top")
    if full:
        door.show(full)
        return
    if page == alias:
        # By Back one comes here again, when widgets are bound to a part of the address that is no longer ours to set.
        asked = links.entries() if links.by_history() else st.query_params.to_dict()
        st.switch_page(pages[PAGES[0]], query_params=asked)
    if page == pages[PAGES[0]] and link_values.UNIT in st.query_params and not navigation.restored():
        st.switch_page(pages["module"], query_params=st.query_params.to_dict())  # a link to a channel
    destination = navigation.take_destination()
    if destination in pages and pages[destination] != page:
        navigation.forget_parts()
        st.switch_page(pages[destination], query_params=links.entries())
    name = page.url_path or PAGES[0]
    background.enter(name)
    history.watch()
    skip.offer()
    tour.begin(name)
    sidebar.show()
    navigation.restore_view()
    sidebar.probabilities()
    kept_photos.show()
    filmstrip.take_arrived()
    sidebar.learning()
    present.watch({known: page.title for known, page in pages.items()})
    stories.show(name)
    with st.container(key="teach-top"):
        teach.switch("teach-top-switch", "Teach")
    with st.container(key="phone-nav", horizontal=True):  # narrow screens lose the navigation on top
        for other in pages.values():
            st.page_link(other)
    kept_photos.missing()
    page.run()
    background.tidy()
    _status()
    memory.settle()


def _nothing() -> None:
    """What stands on a page that only leads to another one."""


def _status() -> None:
    """The line at the top right: device, precision, and how long the current photo's look took."""
    _, device, precision = network.classifier_key()
    milliseconds = panels()[0].look().seconds * 1000
    text = f"{device} · {precision} · {milliseconds:.{0 if milliseconds >= 10 else 1}f} ms"
    st.html(render("status.html", text=text))
    copy_link.show()


main()
