"""When the app is at rest: what every step of a browser test waits for."""

from __future__ import annotations

import time

from playwright.sync_api import Page

from . import runs

READY = "[data-testid='stApp'][data-test-connection-state='CONNECTED'][data-test-script-state='notRunning']"
PATIENCE = 180.0
"""Seconds until a page must be at rest: computations give way to everything else on a busy machine."""

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
    if (has('[aria-busy="true"]')) return 'a number is counting up';
    if (has('[data-stale="true"]')) return 'a stale element is shown';
    if (done_too && has('[data-testid="stProgress"]')) return 'a computation is running';
    if (document.fonts.status !== 'loaded') return 'a font is loading';
    if (found.some((root) => [...root.querySelectorAll('img')].some((image) => image.src && !image.complete)))
      return 'a picture is loading';
    return '';
  };
  const wrong = () => {
    const exceptions = [...document.querySelectorAll('[data-testid="stException"]')].map((node) => node.innerText);
    return document.body.textContent.includes('Page not found') ? [...exceptions, 'Page not found'] : exceptions;
  };
  const end = (act, value) => { observer.disconnect(); act(value); };
  // A browser without a screen sometimes stops making frames after its window has changed, until something is drawn
  // anew: whoever waited for two frames alone would wait for ever on a page that is at rest.
  const drawn = (then) => {
    let told = false;
    const once = () => { if (!told) { told = true; then(); } };
    requestAnimationFrame(() => requestAnimationFrame(once));
    setTimeout(once, 2000);
  };
  const look = () => {
    const found = roots();
    for (const root of found) {
      const main = root === document ? document.querySelector('[data-testid="stMain"]') : root;
      if (main && !watched.has(main)) { watched.add(main); observer.observe(main, watch); since = performance.now(); }
    }
    const what = busy(found), now = performance.now();
    if (what) { since = now; why = what; }
    if (now - since >= 120) drawn(() => end(done, wrong()));
    else if (now - begun > limit) end(fail, new Error('the app did not come to rest: ' + why));
    else setTimeout(look, what ? 50 : 41);  // to look costs time that whoever is waited for may need
  };
  look();
})"""


def settle(page: Page, seconds: float = PATIENCE, *, done: bool = False) -> None:
    """Waits until the app is at rest, and checks that no exception is on the page and that the page exists.

    At rest: connected, no script running or asked for, no skeleton, nothing stale, no number counting up, pictures,
    fonts and the charts near the window loaded, and nothing in the main area has changed for 120 ms. With `done`,
    computations whose progress is shown have ended as well.
    """
    until = time.monotonic() + seconds
    while True:
        before = runs.told(page)
        problems = page.evaluate(_STILL, [READY, seconds * 1000, done])
        if runs.told(page) == before and not before.pending:
            break
        assert time.monotonic() < until, "the app did not come to rest: a run that the page asked for does not end"
        page.wait_for_timeout(20)
    assert not problems, "the page says that something went wrong:\n" + "\n".join(problems)
