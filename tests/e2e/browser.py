"""The browser that the end-to-end tests drive: finds one, or installs one (`python -m tests.e2e.browser --install`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb",
    # A page lives for seconds here: what the last compiler costs it hardly ever comes back.
    "--js-flags=--no-opt",
]  # fmt: skip


def executable(playwright: Playwright) -> str | None:
    """Path of a Chromium: $CHROMIUM, one on the PATH, or Playwright's own; None where there is none."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def launched() -> Iterator[Browser]:
    """A running headless Chromium."""
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            raise RuntimeError("no Chromium here; `make browser` installs one, and CHROMIUM=/path names one")
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        try:
            yield browser
        finally:
            browser.close()


def install() -> None:
    """Debian's package where that can be done, else Playwright's build."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}

        def apt_get(*words: str) -> bool:
            command = ["apt-get", *words]
            return not subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False).returncode

        # Without windows and what belongs to them the browser needs a fifth less processor time; not all have it.
        if apt_get("update", "-q") and any(
            apt_get("install", "-q", "-y", "--no-install-recommends", package) for package in NAMES[:2]
        ):
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True, stdin=subprocess.DEVNULL)


def main() -> int:
    """Prints the browser's path; with --install, installs one first where none is found."""
    with sync_playwright() as playwright:
        path = executable(playwright)
    if path is None and "--install" in sys.argv[1:]:
        print("Installing a Chromium for the browser tests ...", flush=True)
        install()
        with sync_playwright() as playwright:
            path = executable(playwright)
    print(path or "no Chromium here: install one, or set CHROMIUM=/path/to/chromium", flush=True)
    return 0 if path else 1


if __name__ == "__main__":
    raise SystemExit(main())
