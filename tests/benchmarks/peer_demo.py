"""torch-cam's Streamlit demo as a contestant: runs a copy of it without a network and drives it in a browser."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torchvision

from tests.e2e import screen
from tests.e2e.browser import launched
from tests.e2e.pictures import photo
from tests.e2e.server import running_app

from .stopwatch import timed

# The demo fetches its labels, names an option and an argument that Streamlit has dropped since, and fetches weights:
# stand-ins for all of that, none of which takes part in what is timed. The weights' values don't matter for time.
_STAND_INS = """
import types
import requests
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

requests.get = lambda *_, **__: types.SimpleNamespace(json=lambda: [f"class {n}" for n in range(1000)])
st.set_option = lambda *_: None
image = DeltaGenerator.image
DeltaGenerator.image = lambda self, picture, use_column_width=None, **rest: image(self, picture, **rest)
"""
_WEIGHTS = "resnet18-f37072fd.pth"
_FIRST, _LAST = (f"[data-testid=stColumn]:nth-of-type({n}) img" for n in (1, 3))


@contextmanager
def _offline() -> Iterator[None]:
    """An environment in which the demo finds all that it would fetch."""
    with tempfile.TemporaryDirectory() as folder:
        hub = Path(folder) / "hub" / "checkpoints"
        hub.mkdir(parents=True)
        torch.save(torchvision.models.resnet18(weights=None).state_dict(), hub / _WEIGHTS)
        (Path(folder) / "sitecustomize.py").write_text(_STAND_INS, encoding="utf-8")
        before = dict(os.environ)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ.update(TORCH_HOME=folder, PYTHONPATH=os.pathsep.join(paths))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def drive(demo: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from an upload to its picture, and from the button to its map; a map needs both."""
    found: dict[str, list[float]] = {"upload to its picture": [], "button to its map": []}
    with _offline(), running_app(str(demo.resolve())) as url, launched() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        screen.open_app(page, url, seconds=120.0)
        files, button = page.locator("input[type=file]"), page.get_by_role("button", name="Compute CAM")
        for turn in range(rounds + 1):
            given = {"name": f"turned-{turn}.png", "mimeType": "image/png", "buffer": photo("rocket", 5 + turn)}
            shown = timed(page, lambda g=given: files.set_input_files([g]), _FIRST)  # type: ignore[misc]
            screen.settle(page)
            asked = timed(page, button.click, _LAST)
            screen.settle(page)
            if turn:  # the first round warms up
                found["upload to its picture"].append(shown)
                found["button to its map"].append(asked)
    return found
