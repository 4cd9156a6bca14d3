"""Pages with one photo or two: what they draw, as text and as data."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from inception_model.images.samples import sample_photo
from tests.app.asking import good

VIEWS = Path(__file__).resolve().parents[2] / "app" / "views"

CAT, CUP = sample_photo("cat"), sample_photo("espresso")


def done(test: AppTest) -> AppTest:
    """Looks again until nothing is calculated any more."""
    deadline = time.monotonic() + 90
    while any(str(button.key).startswith("cancel-") for button in test.button):
        assert time.monotonic() < deadline, "still calculating"
        time.sleep(0.05)
        good(test.run())
    return test


def data(test: AppTest) -> list[dict[str, Any]]:
    """What the components on the page were given."""
    return [json.loads(e.proto.json) for e in test.get("bidi_component") if e.proto.json]


def words(test: AppTest) -> str:
    """Everything that the page draws as HTML, without tags."""
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", " ".join(e.proto.body for e in test.get("html")), flags=re.S)
    return re.sub(r"\s+", " ", text)


def names(test: AppTest) -> list[str]:
    """The names above the halves, in the order of the page."""
    return re.findall(r'class="scope-name">([^<]+)<', " ".join(e.proto.body for e in test.get("html")))
