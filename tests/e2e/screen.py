"""What a person does with the app's page: waits, uploads, looks. Helpers that name what they wait for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Download, Locator, Page, expect

from inception_model.architecture.spec import HEADS

from . import runs
from .layout import assert_fits as assert_fits
from .layout import overlap as overlap
from .layout import top as top
from .rest import PATIENCE, READY
from .rest import settle as settle

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


def chart(page: Page, key: str) -> Locator:
    """A chart that is drawn when it comes near the window: brings it there, and waits until it is drawn."""
    place = page.locator(f".st-key-{key}-later, .st-key-{key}").first
    place.scroll_into_view_if_needed()
    found = page.locator(f".st-key-{key} .stPlotlyChart")
    expect(found.locator(".main-svg").first).to_be_attached(timeout=PATIENCE * 1000)
    settle(page)
    return found


def charts_drawn(page: Page) -> None:
    """Waits for the charts far below as well: the run that brings one may take back what a key has just changed."""
    expect(page.locator(".later")).to_have_count(0)
    settle(page)


def click(
    target: Locator,
    seconds: float = PATIENCE,
    *,
    at: tuple[float, float] | None = None,
    done: bool = False,
    below: bool = False,
) -> None:
    """Clicks the target (`at`: so many pixels from its upper left corner) and waits until the app has answered.

    `below`: the target takes clicks through something that lies over it, as the dots of a chart do.
    """
    target.click(position=None if at is None else {"x": at[0], "y": at[1]}, force=below)
    settle(target.page, seconds, done=done)


def click_quickly(target: Locator, times: int) -> None:
    """So many clicks with no time between them for a busy machine to stretch; waits until the app has answered."""
    target.evaluate("(node, times) => { for (let each = 0; each < times; each++) node.click(); }", times)
    settle(target.page)


def double_click(target: Locator) -> None:
    """Clicks the target twice and waits until the app has answered."""
    target.dblclick()
    settle(target.page)


def tap(target: Locator, *, at: tuple[float, float] | None = None) -> None:
    """Taps the target with a finger (`at` as in `click`) and waits until the app has answered."""
    target.tap(position=None if at is None else {"x": at[0], "y": at[1]})
    settle(target.page)


def hover(target: Locator, *, at: tuple[float, float] | None = None, below: bool = False) -> None:
    """Brings the mouse over the target (`at`, `below` as in `click`) and waits until what it shows is there."""
    target.hover(position=None if at is None else {"x": at[0], "y": at[1]}, force=below)
    settle(target.page)


def move(page: Page, x: float, y: float) -> None:
    """Brings the mouse to a place of the window and waits until the app has answered."""
    page.mouse.move(x, y)
    settle(page)


@contextmanager
def mouse_held(page: Page, *way: tuple[float, float]) -> Iterator[None]:
    """The mouse goes down at the way's first place and is held at its last one; let go, the app has answered."""
    first, *others = way
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place)
    try:
        yield
    finally:
        page.mouse.up()
    settle(page)


@contextmanager
def key_held(target: Locator, key: str) -> Iterator[None]:
    """The key is held down on the target; let go, the app has answered."""
    focus(target)
    target.page.keyboard.down(key)
    try:
        yield
    finally:
        target.page.keyboard.up(key)
    settle(target.page)


def focus(target: Locator) -> None:
    """Gives the target the focus as soon as it can take it.

    The browser ignores the wish for what it has not drawn yet, and the next key then goes to the page as a whole.
    """
    until = time.monotonic() + PATIENCE
    while not target.evaluate("node => { node.focus(); return node.getRootNode().activeElement === node; }"):
        assert time.monotonic() < until, f"{target} does not take the focus"
        target.page.wait_for_timeout(20)


def press(target: Locator | Page, *keys: str) -> None:
    """Presses keys, one after the other, on the target or on what has the focus; waits until the app has answered."""
    for key in keys:
        if isinstance(target, Page):
            target.keyboard.press(key)
        else:
            focus(target)
            target.page.keyboard.press(key)
    settle(target if isinstance(target, Page) else target.page)


def press_quickly(target: Locator, *keys: str) -> None:
    """Presses keys with no time between them, as fast fingers on a busy machine; waits until the app has answered."""
    target.evaluate(
        """(node, keys) => {
          for (const key of keys) node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        }""",
        keys,
    )
    settle(target.page)


def fill(target: Locator, text: str) -> None:
    """Types into a field and waits until the app has answered."""
    target.fill(text)
    settle(target.page)


def choose(page: Page, label: str, text: str) -> None:
    """Types into a select box and takes the best match."""
    box = page.get_by_role("combobox", name=re.compile(label)).first
    click(box)
    fill(box, text)
    click(page.get_by_role("option", name=re.compile(text)).first)


def go(page: Page, title: str) -> None:
    """Another page through the navigation: on top, or on the phone in a row of its own."""
    row = page.locator(".st-key-phone-nav")
    place = row if row.is_visible() else page.locator("header")
    place.get_by_role("link", name=title, exact=True).click()
    expect(page).to_have_url(re.compile(rf"//[^/]+/{'' if title == 'Look' else title.lower()}(\?|$)"))
    settle(page)


def reload(page: Page) -> None:
    """The browser's reload, which is a new session; waits until the app has answered."""
    page.reload(wait_until="domcontentloaded")
    arrive(page)


def arrive(page: Page, seconds: float = PATIENCE) -> None:
    """Waits until a page that is on its way is drawn."""
    page.locator(READY).wait_for(state="attached", timeout=seconds * 1000)
    settle(page, seconds)


def leave(page: Page, how: str) -> None:
    """`close`s the page, `reload`s it or follows the link to `another page`, and waits for nothing."""
    if how == "close":
        page.context.close()
    elif how == "reload":
        page.reload(wait_until="commit")
    else:
        page.locator("header").get_by_role("link", name="Cost", exact=True).click()


def travel(page: Page, by: int) -> None:
    """So many presses of the browser's Forward at once, or of Back if negative; waits until the app has answered."""
    page.evaluate(
        """by => new Promise((done) => {
          addEventListener("popstate", () => setTimeout(done, 20), { once: true });
          history.go(by);
        })""",
        by,
    )
    settle(page)


def resize(page: Page, size: str | tuple[int, int], scheme: str | None = None) -> None:
    """Another window size (a name of SIZES, or width and height), and another colour scheme if asked for."""
    width, height = SIZES[size] if isinstance(size, str) else size
    if scheme is not None:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})
    settle(page)


def let_move(page: Page) -> None:
    """From now on the page is that of somebody who did not ask for stillness: what moves may move."""
    page.emulate_media(reduced_motion="no-preference")
    settle(page)


def pass_time(page: Page, seconds: float) -> None:
    """Waits for what must not happen."""
    page.wait_for_timeout(seconds * 1000)
    settle(page)


def download(target: Locator) -> Download:
    """What the browser keeps when the target is clicked."""
    with target.page.expect_download() as waiting:
        target.click()
    settle(target.page)
    return waiting.value


def address(url: str, name: str) -> str:
    """Where a page lives: the first one has no path of its own."""
    return url if name == "look" else f"{url}/{name}"


def open_app(page: Page, url: str, seconds: float = PATIENCE) -> None:
    """Goes to an address of the app and waits until it is drawn."""
    runs.listen(page)
    page.goto(url, wait_until="domcontentloaded")
    arrive(page, seconds)


def open_file(page: Page, path: Path) -> None:
    """Goes to a file, which is no app, and waits until it and its pictures are loaded."""
    page.goto(path.as_uri())


LEFT_TOUR = "localStorage.setItem('inceptionscope.tour', 'left')"
"""The script of a profile whose pages begin as for somebody who has left the tour before."""


def leave_tour(context: BrowserContext) -> None:
    """Makes the context such a profile."""
    context.add_init_script(LEFT_TOUR)


def send(page: Page, *files: tuple[str, bytes] | Path) -> None:
    """Gives the uploader files (name, content), whatever they are, and waits until the app has answered.

    Large ones as paths, and then all: a browser reads them from the disk, their content would be typed out to it.
    """
    payload: list[Any] = [
        file if isinstance(file, Path) else {"name": file[0], "mimeType": "image/png", "buffer": file[1]}
        for file in files
    ]
    page.locator(".st-key-upload input[type=file]").set_input_files(payload)
    settle(page)


def film(page: Page, name: str) -> Locator:
    """The filmstrip's button of a photo."""
    return page.get_by_role("button", name=f"look at {name}", exact=True)


def upload(page: Page, name: str, data: bytes) -> None:
    """Uploads a photo and waits until the app looks at it."""
    send(page, (name, data))
    expect(film(page, name)).to_have_attribute("aria-pressed", "true")
    settle(page)


def answers(page: Page) -> dict[str, str]:
    """What each head's card says."""
    return {head: page.get_by_role("region", name=head, exact=True).inner_text() for head in HEADS}


def serious_findings(page: Page) -> list[str]:
    """axe-core's findings of impact serious or critical, one line each."""
    from axe_playwright_python.base import AXE_SCRIPT

    # To read half a megabyte of script costs as much as half the search: once for each page, and only findings go back.
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = page.evaluate(
        "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
    )
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['target']} {node['html'][:160]}"
        for rule in violations
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
