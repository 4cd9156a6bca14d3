"""A photo that is recognised wherever it shows, quick settings, and a report's page taken apart."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from inception_model.images.decode import Photo, read_photo
from inception_model.report import Settings

NAME = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>&\u2028 \"holiday\".jpg"

COMMENT = b"taken at home, 12 Elm Street"

QUICK = Settings(
    methods=("gradcam", "integrated_gradients"),
    options=(("steps", 4),),
    steps=4,
    limit=16,  # the ledger's intervals are halved, but not for ever: random weights rarely let it close
    target="3-1",
    baseline="blur",
)
BRIEF = dataclasses.replace(QUICK, methods=(), options=(), steps=1, limit=0)
"""Without maps, and the shortest ledger."""


def green_photo(name: str = NAME) -> Photo:
    """Strong greens, which neither of the two colour maps has, in a file that also says where it was taken."""
    pixels = np.zeros((150, 240, 3), np.uint8)
    pixels[:, :, 1] = np.linspace(150, 255, 240)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, comment=COMMENT)
    return read_photo(buffer.getvalue(), name)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of scripts and captions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.found.append((tag, known))
        if tag not in ("meta", "img"):
            self.inside.append((tag, known.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts.append((" ".join(self.inside[-1]).strip(), data))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]

    def text(self, place: str) -> list[str]:
        return [data for name, data in self.texts if name == place]


def pictures(page: str) -> list[Image.Image]:
    sources = [element["src"] for element in Elements(page).of("img")]
    assert all(re.match(r"data:image/(png|jpeg);base64,", source) for source in sources)
    return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]
