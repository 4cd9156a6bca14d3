"""The app as a whole without a browser: what is sent to it and what it shows, for tests of several rooms."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.app.asking import good

MAIN = str(Path(__file__).resolve().parents[2] / "app" / "main.py")


def open_app() -> AppTest:
    return good(AppTest.from_file(MAIN, default_timeout=90).run())


def drawn(app: AppTest) -> str:
    """All HTML on the page, without style sheets and pictures."""
    return re.sub(r"<style>.*?</style>|base64,[^\"]*", "", " ".join(e.proto.body for e in app.get("html")), flags=re.S)


def captions(app: AppTest) -> str:
    """What stands below the photos."""
    sent = [json.loads(e.proto.json) for e in app.get("bidi_component") if e.proto.json]
    return " ".join(each["note"] for each in sent if "least" in each)


def cards(app: AppTest) -> str:
    """The heads' cards and the sentence below, in words."""
    return drawn(app)[drawn(app).index('<div class="scope-heads">') : drawn(app).index("Entropy")]


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    uploader = next(found for found in app.file_uploader if str(found.key).startswith("upload-"))
    uploader.set_value([(name, data, "image/png") for name, data in files])
    return good(app.run())
