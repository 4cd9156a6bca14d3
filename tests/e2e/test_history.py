"""Back and Forward go through what the user did, page and choice, and nothing is written over the address meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from . import screen
from .conftest import OpenPage

# Counts what anybody writes into the history, below everything that the app and Streamlit put on top of it.
COUNT = """window.writes = [];
for (const name of ['pushState', 'replaceState']) {
  const write = History.prototype[name];
  History.prototype[name] = function (state, title, url) {
    window.writes.push(`${name} ${url}`);
    return write.call(this, state, title, url);
  };
}"""


@dataclass(frozen=True)
class Stop:
    """A place on the user's way: how one comes to it, its path, and what the address says there."""

    act: Callable[[Page], None]
    path: str
    says: dict[str, str]
    shown: Callable[[Page], None]


def entries(page: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def looks_at(name: str) -> Callable[[Page], None]:
    return lambda page: expect(screen.film(page, name)).to_have_attribute("aria-pressed", "true")


def headed(words: str) -> Callable[[Page], None]:
    return lambda page: expect(page.get_by_role("heading", name=re.compile(f"^{words}")).first).to_be_visible()


def pressed(key: str, text: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        screen.click(page.locator(f".st-key-{key}").get_by_role("radio", name=text, exact=True))

    return act


def chosen(key: str, text: str) -> Callable[[Page], None]:
    return lambda page: expect(
        page.locator(f".st-key-{key}").get_by_role("radio", name=text, exact=True)
    ).to_be_checked()


def walk(page: Page, way: tuple[Stop, ...]) -> None:
    """Goes the way by acting, back by Back press by press, and once more by Forward: two presses, then all at once.

    Looks at page and address at every stop.
    """

    def check(stop: Stop) -> None:
        stop.shown(page)  # on a busy machine the answer to an act may begin after the page was at rest
        screen.settle(page)
        assert (urlsplit(page.url).path, entries(page)) == (stop.path, stop.says)

    def move(page: Page, by: int) -> None:
        before = page.evaluate("[history.length, writes.length]")
        screen.travel(page, by)
        assert page.evaluate("[history.length, writes.length]") == before, page.evaluate("writes")

    for stop in way:
        length = page.evaluate("history.length")
        stop.act(page)
        check(stop)
        assert page.evaluate("history.length") == length + 1
    for stop in way[-2::-1]:
        move(page, -1)
        check(stop)
    for stop in way[1:3]:
        move(page, 1)
        check(stop)
    move(page, len(way) - 3)
    check(way[-1])
    move(page, 1 - len(way))
    check(way[0])


def test_back_and_forward_through_photos_and_modules(new_page: OpenPage, app_url: str) -> None:
    page = new_page(script=COUNT)
    quiet = {"teach": "off", "order": "index"}
    far = {**quiet, "photo": "espresso", "module": "5a", "branch": "5x5"}
    walk(
        page,
        (
            Stop(lambda page: screen.open_app(page, f"{app_url}?teach=off&order=index"), "/", quiet, looks_at("cat")),
            Stop(lambda page: screen.click(screen.film(page, "rocket")), "/", {**quiet, "photo": "rocket"},
                 looks_at("rocket")),
            Stop(lambda page: screen.click(screen.film(page, "espresso")), "/", {**quiet, "photo": "espresso"},
                 looks_at("espresso")),
            Stop(lambda page: screen.go(page, "Module"), "/module", {**quiet, "photo": "espresso"},
                 headed("Inside 4d")),
            Stop(pressed("module-strip", "5a"), "/module", far, headed("Inside 5a")),
            Stop(lambda page: screen.press(page.locator("[data-node='5x5']"), "Home", "ArrowRight", "Enter"), "/module",
                 {**far, "channel": "1"},
                 lambda page: expect(page.locator(".st-key-channel-panel .scope-title")).to_have_text(
                     "5a · 5×5 · channel 1")),
        ),
    )  # fmt: skip


def test_back_and_forward_through_questions_and_costs(new_page: OpenPage, app_url: str) -> None:
    page = new_page(script=COUNT)
    quiet = {"teach": "off", "device": "cpu"}
    costs = {**quiet, "quantity": "parameters"}
    asked = {**quiet, "module": "3b", "head": "aux1"}
    walk(
        page,
        (
            # The colour that means nothing leaves the address with the first choice, as nothing that the user did.
            Stop(lambda page: screen.open_app(page, f"{app_url}/cost?teach=off&device=cpu&colour=loud"), "/cost",
                 {**quiet, "colour": "loud"}, headed("Inside 4d")),
            Stop(pressed("quantity", "parameters"), "/cost", costs,
                 chosen("quantity", "parameters")),
            Stop(pressed("cost_module", "3b"), "/cost", {**costs, "module": "3b"}, headed("Inside 3b")),
            Stop(lambda page: screen.click(page.locator(".st-key-network-line [data-go='head/aux1']")), "/heads",
                 asked, headed("Three heads")),
            Stop(lambda page: screen.go(page, "Why"), "/why", asked, chosen("why-head", "aux1")),
            Stop(pressed("why-head", "aux2"), "/why", {**asked, "head": "aux2"}, chosen("why-head", "aux2")),
            Stop(lambda page: screen.choose(page, "Method", "Saliency"), "/why",
                 {**asked, "head": "aux2", "method": "saliency"}, headed("Saliency")),
        ),
    )  # fmt: skip


def test_only_acts_are_steps(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/cost?teach=off")

    def steps() -> int:
        """How many steps three more changes of the address make, as the app would write them."""
        before = page.evaluate("history.length")
        for name in "abc":
            page.evaluate("name => history.pushState({}, '', `?teach=off&${name}=${history.length}`)", name)
        return int(page.evaluate("history.length")) - before

    assert steps() == 0
    screen.charts_drawn(page)
    slider = page.get_by_role("slider", name=re.compile("5×5 reduce")).first
    screen.click(page.get_by_test_id("stSlider").first)
    screen.press(slider, "ArrowLeft")
    assert steps() == 0
    screen.click(page.get_by_role("heading", name=re.compile("^Inside")).first)
    assert steps() == 1
    assert steps() == 0


def test_back_to_the_other_address_of_the_first_page(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/look?teach=off&device=cpu&photo=rocket")
    looks_at("rocket")(page)
    screen.click(screen.film(page, "espresso"))
    looks_at("espresso")(page)
    screen.settle(page)
    for _ in range(2):
        screen.travel(page, -1)
        looks_at("rocket")(page)
    assert urlsplit(page.url).path == "/"
