"""A stopwatch inside the browser: from a person's press to the first frame that shows something new."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

# Everything lies in shadow roots of its own, so the search goes into them. A picture counts once it is decoded.
_WATCH = """(selector) => {
  const found = (root) => [
    ...root.querySelectorAll(selector),
    ...[...root.querySelectorAll("*")].filter((node) => node.shadowRoot).flatMap((node) => found(node.shadowRoot)),
  ];
  const said = (node) => node.tagName !== "IMG" ? node.innerHTML : node.complete ? node.currentSrc : null;
  const sign = () => {
    const parts = found(document).map(said);
    return parts.length && !parts.includes(null) ? parts.join("|") : null;
  };
  const before = sign();
  let start = null;
  for (const kind of ["pointerdown", "keydown", "change"]) {
    window.addEventListener(kind, (event) => { start ??= event.timeStamp; }, { capture: true });
  }
  window.stopwatch = new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`nothing new at ${selector}`)), 30000);
    const look = (now) => {
      const after = start === null ? before : sign();
      if (after !== null && after !== before) done(now - start);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}"""


def timed(page: Page, act: Callable[[], object], selector: str) -> float:
    """Milliseconds from the first press or change that `act` causes to the frame in which what the CSS selector finds,
    in any shadow root, has changed. Raises playwright's Error where nothing changes for half a minute."""
    page.evaluate(_WATCH, selector)
    act()
    return float(page.evaluate("() => window.stopwatch"))
