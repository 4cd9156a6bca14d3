"""The short moving picture on top of README: `python scripts/animation.py`, from the running app in a browser.

A photo is uploaded, the map of the network leads to a module, a channel is picked in its figure, then come the pages
Heads and Why. A ring shows where the next click will be.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page

from tests.e2e import screen
from tests.e2e.browser import launched
from tests.e2e.pictures import photo
from tests.e2e.server import ROOT, running_app

FILE = ROOT / "docs" / "screenshots" / "walk.webp"
WINDOW, SHOWN = (1280, 800), (960, 600)
PHOTO = "espresso"
LOOK_MS, AIM_MS = 1900, 900
"""How long a state stays, and how long the ring before a click."""
SETTLE_MS = 600
"""A page that has just come scrolls to its top: no test waits for that, a picture has to."""
RING, WIDTH = 22, 4
COLOUR = "#d6336c"
LARGEST = 4_000_000
"""Bytes."""


class Film:
    """Frames with the time that each stays."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def look(self, milliseconds: int = LOOK_MS) -> Image.Image:
        """Adds what the window shows now."""
        self.page.wait_for_timeout(SETTLE_MS)
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append(shot.resize(SHOWN, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)
        return self.frames[-1]

    def click(self, target: Locator, at: tuple[float, float] | None = None, *, done: bool = False) -> None:
        """Shows where the click will be, clicks, and shows what came of it."""
        target.scroll_into_view_if_needed()
        screen.settle(self.page)
        box = target.bounding_box()
        assert box, "what is clicked must be seen"
        x, y = at or (box["width"] / 2, box["height"] / 2)
        scale = SHOWN[0] / WINDOW[0]
        centre = ((box["x"] + x) * scale, (box["y"] + y) * scale)
        ImageDraw.Draw(self.look(AIM_MS)).circle(centre, RING, outline=COLOUR, width=WIDTH)
        screen.click(target, at=at, done=done)
        self.look()

    def save(self, file: Path) -> None:
        """Writes an animated WebP that begins again at its end."""
        first, *rest = self.frames
        first.save(file, save_all=True, append_images=rest, duration=self.times, loop=0, quality=72, method=6)


def play(film: Film, url: str) -> None:
    """The walk."""
    page = film.page
    screen.open_app(page, f"{url}/?teach=off")
    film.look()
    screen.upload(page, "my photo.png", photo(PHOTO))
    film.look()
    film.click(page.locator("[data-go='4d/3x3']").first)
    film.click(page.locator("[data-node='3x3']").first, (60, 30))
    for title in ("Heads", "Why"):
        film.click(page.locator("header").get_by_role("link", name=title, exact=True), done=True)


def main() -> int:
    """Writes the picture; it must stay small enough for the top of a page."""
    with running_app() as url, launched() as browser:
        context = browser.new_context(
            viewport={"width": WINDOW[0], "height": WINDOW[1]}, color_scheme="light", reduced_motion="reduce"
        )
        context.set_default_timeout(screen.PATIENCE * 1000)
        screen.leave_tour(context)
        film = Film(context.new_page())
        play(film, url)
        film.save(FILE)
    size = FILE.stat().st_size
    print(f"{FILE.relative_to(ROOT)}: {len(film.frames)} frames, {size / 1e6:.2f} MB")
    return 0 if size < LARGEST else 1


if __name__ == "__main__":
    raise SystemExit(main())
