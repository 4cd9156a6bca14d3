"""Teach mode and the tour, driven without a browser: every figure has its lesson, and both can be left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import escape
from streamlit.testing.v1 import AppTest

from app.state.navigation import PAGES
from app.widgets import guide, teach, tour
from app.widgets.teach import LESSONS
from tests.app.asking import good
from tests.app.shell import MAIN, drawn, open_app

APP = Path(MAIN).parent
FIGURES = {key for file in APP.rglob("*.py") for key in re.findall(r'teach\.note\("([^"]+)"\)', file.read_text())}
SOURCE = re.compile(r"[Pp]aper(?:,|'s) (?:section|Figure|Table)|[A-Z]\w+(?: et al\.| and [A-Z]\w+)? (?:19|20)\d\d")
ON_SIGHT = {
    "look": {"heads", "map"},
    "module": {"module", "channel", "profiles"},
    "heads": {"heads", "timeline", "divergence", "head-maps"},
    "cost": {"savings", "network", "module-cost", "lab", "table-1"},
    "model": {"accuracy", "model-card"},
}
"""Page -> lessons that a first visit shows there at once. Those that come with what takes time, as on the page Why, or
with what is asked for are seen in the browser."""


def lessons(app: AppTest) -> list[str]:
    """What teach mode says on the page, in its order."""
    return re.findall(r'<p class="scope-teach" role="note">(.*?) <cite>', drawn(app))


def test_every_figure_has_a_lesson_and_every_lesson_a_figure() -> None:
    assert set(LESSONS) == FIGURES


@pytest.mark.parametrize("figure", LESSONS)
def test_a_lesson_is_short_and_says_where_it_comes_from(figure: str) -> None:
    lesson = LESSONS[figure]
    assert len(lesson.sentence.split()) <= 30
    assert lesson.sentence.endswith(".")
    assert "{" not in lesson.sentence
    assert SOURCE.search(lesson.source)


def test_the_numbers_are_those_of_the_paper_s_network() -> None:
    # By hand: 4d passes 512 channels of 14 x 14 to 64 of 5x5, directly or over 32; 3a 192 of 28 x 28 to 32, over 16.
    direct, reduced = 512 * 64 * 25 * 14 * 14, (512 * 32 + 32 * 64 * 25) * 14 * 14
    times = 192 * 32 * 25 / (192 * 16 + 16 * 32 * 25)
    found = teach.numbers()
    assert (found["naive_4d"], found["real_4d"]) == (f"{direct / 1e6:.0f} M", f"{reduced / 1e6:.1f} M")
    assert (found["in_3a"], found["reduce_3a"], found["times_3a"]) == ("192", "16", f"{times:.1f}")
    assert (found["layers"], found["with_pools"], found["modules"]) == ("22", "27", "9")  # section 5
    assert (found["aux1"], found["aux2"]) == ("4a", "4d")
    assert (found["field_3a"], found["field_4d"]) == ("59", "363")
    assert found["macs"] == "1.583 G"


@pytest.mark.parametrize("page", ON_SIGHT)
def test_each_page_teaches_until_it_is_switched_off(page: str) -> None:
    app = open_app()
    if page != "look":
        good(app.switch_page(f"views/{page}/page.py").run())
    said = lessons(app)
    missing = {figure for figure in ON_SIGHT[page] if escape(LESSONS[figure].sentence) not in said}
    assert not missing
    good(app.toggle(key="teach").set_value(False).run())
    assert lessons(app) == []
    assert app.query_params["teach"] in ("off", ["off"])
    good(app.toggle(key="teach-top-switch").set_value(True).run())
    assert set(said) <= set(lessons(app))


def test_who_switched_it_off_is_left_alone_on_other_pages_and_in_links() -> None:
    app = open_app()
    good(app.toggle(key="teach").set_value(False).run())
    assert lessons(good(app.switch_page("views/cost/page.py").run())) == []
    link = AppTest.from_file(MAIN, default_timeout=90)
    link.query_params["teach"] = "off"
    good(link.run())
    assert lessons(link) == []
    assert link.toggle(key="teach").value is False


def test_with_two_photos_each_lesson_stands_once() -> None:
    app = AppTest.from_file(MAIN, default_timeout=90)
    app.query_params.update({"photo": "cat", "beside": "rocket"})
    said = lessons(good(app.run()))
    assert len(said) == len(set(said))
    assert LESSONS["beside"].sentence in said


def step(app: AppTest) -> object:
    return app.session_state["scope.option.tour.step"]


def test_the_tour_is_offered_to_who_comes_by_no_link() -> None:
    app = open_app()
    assert step(app) == 1
    assert step(good(app.switch_page("views/module/page.py").run())) == 4  # it follows who goes ahead
    link = AppTest.from_file(MAIN, default_timeout=90)
    link.query_params["module"] = "4b"
    assert step(good(link.run())) == 0


def test_take_the_tour_starts_it_on_the_first_page() -> None:
    link = AppTest.from_file(MAIN, default_timeout=90)
    link.query_params["module"] = "4b"
    good(good(link.run()).switch_page("views/cost/page.py").run())
    button = next(button for button in link.button if button.label == "Take the tour")
    good(button.click().run())
    assert step(link) == 1
    assert "The network on your photo" in drawn(link)


@pytest.mark.parametrize(
    ("number", "page", "shown"),
    [
        (1, "look", 1),
        (3, "module", 4),
        (1, "why", 6),
        (5, "look", 3),
        (2, "cost", 9),
        (1, "fool", 7),
        (2, "none", 2),
        (0, "module", 0),
    ],
)
def test_the_tour_shows_the_nearest_step_of_a_page(number: int, page: str, shown: int) -> None:
    assert guide.follow(tour.STEPS, number, page) == shown


def test_every_page_has_its_steps_in_the_order_of_the_pages() -> None:
    pages = [known.page for known in tour.STEPS]
    assert tuple(dict.fromkeys(pages)) == PAGES
    assert all(len(known.text.split()) <= 25 for known in tour.STEPS)
