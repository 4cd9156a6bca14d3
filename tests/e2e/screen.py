"""What a person does with the app's page: waits, uploads, looks. Helpers that name what they wait for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Download, Locator, Page, expect

from inception_model.architecture.spec import HEADS

READY = "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
PATIENCE = 180.0
"""Seconds until a page must be at rest: computations give way to everything else on a busy machine."""
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}

_OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (node) => {
    for (let up = node.parentElement; up; up = up.parentElement) {
      if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(up).overflowX)
          && up.getBoundingClientRect().right <= wide + 1 && up.scrollHeight > 0
          && !['stApp', 'stMain', 'stAppViewContainer'].includes(up.dataset.testid ?? '')) return true;
    }
    return false;
  };
  const visible = (node) => node.getClientRects().length && getComputedStyle(node).visibility !== 'hidden'
    && !node.closest('[aria-hidden="true"], [data-testid="stSidebar"]');
  return [...document.querySelectorAll('[data-testid="stMain"] *')].filter((node) => {
    const box = node.getBoundingClientRect();
    return visible(node) && box.width > 1 && box.height > 1 && box.right > wide + 1 && !scrolls(node);
  }).slice(0, 5).map((node) => `${node.tagName}.${node.className} right=${node.getBoundingClientRect().right}`);
}"""

# What is not at rest, in a few words, and the time without a change. A rerun that a widget has just asked for takes a
# moment to begin, a component draws its frame after the script has ended, and Streamlit keeps what the last run drew
# (marked as stale) beside the new until the run ends: at rest means that all of it has been still for a while.
_STILL = """([ready, limit, done_too]) => new Promise((done, fail) => {
  const begun = performance.now();
  let since = begun, why = 'not looked at yet';
  const watch = { subtree: true, childList: true, attributes: true, characterData: true };
  const observer = new MutationObserver(() => { since = performance.now(); why = 'the page changes'; });
  const watched = new WeakSet();
  const roots = () => {
    const found = [document];
    for (const root of found)
      for (const node of root.querySelectorAll('*')) if (node.shadowRoot) found.push(node.shadowRoot);
    return found;
  };
  const busy = (found) => {
    const has = (selector) => found.some((root) => root.querySelector(selector));
    if (!has(ready)) return 'the script runs or the connection is lost';
    if (has('[data-testid="stSkeleton"]')) return 'a skeleton is shown';
    if (has('.later.near')) return 'a chart is on its way';
    if (has('[data-stale="true"]')) return 'a stale element is shown';
    if (done_too && has('[data-testid="stProgress"]')) return 'a computation is running';
    if (document.fonts.status !== 'loaded') return 'a font is loading';
    if (found.some((root) => [...root.querySelectorAll('img')].some((image) => image.src && !image.complete)))
      return 'a picture is loading';
    return '';
  };
  const end = (act, value) => { observer.disconnect(); act(value); };
  const look = () => {
    const found = roots();
    for (const root of found) {
      const main = root === document ? document.querySelector('[data-testid="stMain"]') : root;
      if (main && !watched.has(main)) { watched.add(main); observer.observe(main, watch); since = performance.now(); }
    }
    const what = busy(found), now = performance.now();
    if (what) { since = now; why = what; }
    if (now - since >= 120) requestAnimationFrame(() => requestAnimationFrame(() => end(done)));
    else if (now - begun > limit) end(fail, new Error('the app did not come to rest: ' + why));
    else setTimeout(look, 20);
  };
  look();
})"""

_SIDEWAYS = """() => ['html', 'body', '[data-testid="stMain"]', '[data-testid="stAppViewContainer"]']
  .map((name) => [name, document.querySelector(name)])
  .filter(([, node]) => node && node.scrollWidth > node.clientWidth + 1)
  .map(([name, node]) => `${name}: ${node.scrollWidth} > ${node.clientWidth}`)"""


def settle(page: Page, seconds: float = PATIENCE, *, done: bool = False) -> None:
    """Waits until the app is at rest, and checks that no exception is on the page.

    At rest: connected, no script running, no skeleton, nothing stale, pictures, fonts and the charts near the window
    loaded, and nothing in the main area has changed for 120 ms. With `done`, computations whose progress is shown have
    ended as well.
    """
    page.evaluate(_STILL, [READY, seconds * 1000, done])
    problems = page.get_by_test_id("stException").all_inner_texts()
    assert not problems, "an exception is on the page:\n" + "\n".join(problems)
    expect(page.get_by_text("Page not found")).to_have_count(0)


def chart(page: Page, key: str) -> Locator:
    """A chart that is drawn when it comes near the window: brings it there, and waits until it is drawn."""
    place = page.locator(f".st-key-{key}-later, .st-key-{key}").first
    place.scroll_into_view_if_needed()
    found = page.locator(f".st-key-{key} .stPlotlyChart")
    expect(found.locator(".main-svg").first).to_be_attached(timeout=PATIENCE * 1000)
    settle(page)
    return found


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


def press(target: Locator | Page, *keys: str) -> None:
    """Presses keys, one after the other, on the target or on what has the focus; waits until the app has answered."""
    for key in keys:
        if isinstance(target, Page):
            target.keyboard.press(key)
        else:
            target.press(key)
    settle(target if isinstance(target, Page) else target.page)


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
    click(place.get_by_role("link", name=title, exact=True))
    expect(page).to_have_url(re.compile(rf"//[^/]+/{'' if title == 'Look' else title.lower()}(\?|$)"))
    settle(page)


def resize(page: Page, size: str, scheme: str | None = None) -> None:
    """Another window size (a name of SIZES), and another colour scheme if asked for."""
    width, height = SIZES[size]
    if scheme is not None:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})
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
    page.goto(url, wait_until="domcontentloaded")
    page.locator(READY).wait_for(state="attached", timeout=seconds * 1000)
    settle(page, seconds)


def open_file(page: Page, path: Path) -> None:
    """Goes to a file, which is no app, and waits until it and its pictures are loaded."""
    page.goto(path.as_uri())


def leave_tour(context: BrowserContext) -> None:
    """Pages of this profile begin as for somebody who has left the tour before."""
    context.add_init_script("localStorage.setItem('inceptionscope.tour', 'left')")


def send(page: Page, *files: tuple[str, bytes]) -> None:
    """Gives the uploader files (name, content), whatever they are, and waits until the app has answered."""
    payload: list[Any] = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
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


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways, and nothing is cut off at the right edge outside a box that scrolls."""
    for what, script in (("scrolls sideways", _SIDEWAYS), ("is cut off on the right", _OVERFLOW)):
        found = page.evaluate(script)
        assert not found, f"{what}: {found}"


def serious_findings(page: Page) -> list[str]:
    """axe-core's findings of impact serious or critical, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    results: dict[str, Any] = Axe().run(page).response
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['target']} {node['html'][:160]}"
        for rule in results["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
