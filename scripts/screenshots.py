"""Pictures of every page for docs/screenshots, from the running app with a sample photo: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import expect

from tests.e2e.browser import launched
from tests.e2e.screen import SIZES, address, leave_tour, open_app, settle
from tests.e2e.server import ROOT, running_app

FOLDER = ROOT / "docs" / "screenshots"
SCHEMES = ("light", "dark")
MAX_HEIGHT = 2400


def page_names() -> list[str]:
    """The app's pages, as their addresses name them."""
    return sorted(path.parent.name for path in (ROOT / "app" / "views").glob("*/page.py"))


def main() -> int:
    """Writes PAGE-SIZE-SCHEME.png for the pages named on the command line, or for all."""
    asked = sys.argv[1:] or page_names()
    if unknown := set(asked) - set(page_names()):
        print(f"no page {', '.join(sorted(unknown))}; allowed: {', '.join(page_names())}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_app() as url, launched() as browser:
        for size, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,  # type: ignore[arg-type]
                    reduced_motion="reduce",
                )
                leave_tour(context)
                page = context.new_page()
                for name in asked:
                    open_app(page, address(url, name))
                    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=60_000)
                    settle(page)
                    # Streamlit scrolls inside the page, so the window itself has to be as tall as what it shows.
                    tall = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
                    page.set_viewport_size({"width": width, "height": min(max(tall, height), MAX_HEIGHT)})
                    page.wait_for_timeout(300)
                    file = FOLDER / f"{name}-{size}-{scheme}.png"
                    page.screenshot(path=file)
                    page.set_viewport_size({"width": width, "height": height})
                    print(file.relative_to(ROOT))
                context.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
