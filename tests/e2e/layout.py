"""Where the parts of a page lie: whether it fits into the window, and what lies on what."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

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
  // What a folded part holds is not laid out while nobody sees it: its place may be that of a window of before.
  const visible = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length
    && !node.closest('[aria-hidden="true"], [data-testid="stSidebar"]');
  return [...document.querySelectorAll('[data-testid="stMain"] *')].filter((node) => {
    const box = node.getBoundingClientRect();
    return visible(node) && box.width > 1 && box.height > 1 && box.right > wide + 1 && !scrolls(node);
  }).slice(0, 5).map((node) => `${node.tagName}.${node.className} right=${node.getBoundingClientRect().right}`);
}"""

_SIDEWAYS = """() => ['html', 'body', '[data-testid="stMain"]', '[data-testid="stAppViewContainer"]']
  .map((name) => [name, document.querySelector(name)])
  .filter(([, node]) => node && node.scrollWidth > node.clientWidth + 1)
  .map(([name, node]) => `${name}: ${node.scrollWidth} > ${node.clientWidth}`)"""


def overlap(first: Locator, second: Locator) -> bool:
    """Whether two parts of the page lie on each other anywhere in the window."""
    boxes = [part.bounding_box() for part in (first, second)]
    assert all(boxes)
    a, b = ((box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) for box in boxes if box)
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def top(part: Locator) -> float:
    """Pixels between the window's upper edge and that part of the page."""
    return float(part.evaluate("node => node.getBoundingClientRect().top"))


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways, and nothing is cut off at the right edge outside a box that scrolls."""
    for what, script in (("scrolls sideways", _SIDEWAYS), ("is cut off on the right", _OVERFLOW)):
        found = page.evaluate(script)
        assert not found, f"{what}: {found}"
