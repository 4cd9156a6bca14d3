"""What a person does with the app's page: waits, uploads, looks. Helpers that name what they wait for."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from inception_model.architecture.spec import HEADS

READY = "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
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

# A rerun that a widget has just asked for takes a moment to begin: idle means idle for a while.
_STILL = """([ready, limit]) => new Promise((done, fail) => {
  const begun = performance.now();
  let since = begun;
  const look = () => {
    const now = performance.now();
    if (!document.querySelector(ready)) since = now;
    if (now - since >= 200) done();
    else if (now - begun > limit) fail(new Error("the app did not come to rest"));
    else setTimeout(look, 20);
  };
  look();
})"""

_SIDEWAYS = """() => ['html', 'body', '[data-testid="stMain"]', '[data-testid="stAppViewContainer"]']
  .map((name) => [name, document.querySelector(name)])
  .filter(([, node]) => node && node.scrollWidth > node.clientWidth + 1)
  .map(([name, node]) => `${name}: ${node.scrollWidth} > ${node.clientWidth}`)"""


def settle(page: Page, seconds: float = 60.0) -> None:
    """Waits until the app has answered and nothing is on its way, and checks that no exception is on the page."""
    limit = seconds * 1000
    page.locator(READY).wait_for(state="attached", timeout=limit)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=limit)
    page.evaluate(_STILL, [READY, limit])
    problems = page.get_by_test_id("stException").all_inner_texts()
    assert not problems, "an exception is on the page:\n" + "\n".join(problems)
    expect(page.get_by_text("Page not found")).to_have_count(0)


def address(url: str, name: str) -> str:
    """Where a page lives: the first one has no path of its own."""
    return url if name == "look" else f"{url}/{name}"


def open_app(page: Page, url: str, seconds: float = 60.0) -> None:
    """Goes to an address of the app and waits until it is drawn."""
    page.goto(url, wait_until="domcontentloaded")
    settle(page, seconds)


def leave_tour(context: BrowserContext) -> None:
    """Pages of this profile begin as for somebody who has left the tour before."""
    context.add_init_script("localStorage.setItem('inceptionscope.tour', 'left')")


def send(page: Page, *files: tuple[str, bytes]) -> None:
    """Gives the uploader files (name, content), whatever they are."""
    payload: list[Any] = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    page.locator(".st-key-upload input[type=file]").set_input_files(payload)


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
