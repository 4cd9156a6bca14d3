"""`write_site`: the pages, the style sheet, the script and the tiles, each a file that needs no server."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment

from ...architecture.spec import STEM_UNITS
from ...drawing.markup import markup
from ...drawing.palette import COLOURS
from ...inference.classifier import Classifier
from ...visualization.places import Place
from ...visualization.tile_parts import AtlasError, write_whole
from ...visualization.tiles import TileAtlas
from .facts import Page, Section, Weights, anchor, cover, numbers_of, pages_of, words

_HERE = Path(__file__).parent
INDEX = "index.html"
MARK = "InceptionScope atlas"
"""The generator that every page names: what a folder may be overwritten by."""


def write_site(classifier: Classifier, atlas: TileAtlas, folder: Path, app: str | None = None) -> list[Path]:
    """Writes the website of an atlas; returns its files. `app`: the address of an app that channels link to.

    Raises AtlasError where the folder holds another website or the disk is full, CheckpointError where the sheets of
    the atlas are gone.
    """
    if not atlas.made:
        raise AtlasError(f"the atlas in {atlas.folder} has no tile yet: `atlas build` makes them")
    if app is not None and not app.startswith(("http://", "https://")):
        raise AtlasError(f"--app takes an address that begins with http:// or https://; got {app!r}")
    _require_own(folder)
    pages = pages_of(atlas, classifier)
    files = [_sheet(atlas, section, folder) for page in pages for section in page.sections if section.sheet]
    weights = Weights(classifier, pages)
    shared = {"pages": pages, "atlas": atlas, "checkpoint": classifier.checkpoint, "mark": MARK}
    for number, page in enumerate(pages):
        around = {"before": pages[number - 1] if number else None, "after": (*pages, None)[number + 1]}
        facts = {"app": (app or "").rstrip("/"), "channels": _channels(page, weights)}
        text = _template("module.html").render(**shared, **around, page=page, facts=facts)
        files.append(_text(folder / page.file, text))
    search = {
        "units": [_unit(page, section) for page in pages for section in page.sections],
        "classes": weights.classes(),
    }
    for name in ("site.css", "site.js"):
        files.append(_text(folder / name, _template(name).render()))
    whole = [section for page in pages for section in page.sections]
    index = _template(INDEX).render(**shared, numbers=numbers_of(whole), search=search)
    return [*files, _text(folder / INDEX, index)]


def _require_own(folder: Path) -> None:
    """Raises AtlasError where something else would be overwritten."""
    index = folder / INDEX
    if folder.exists() and not folder.is_dir():
        raise AtlasError(f"{folder} is no folder: name one for the website")
    if index.is_file():
        with index.open(encoding="utf-8", errors="replace") as file:
            if MARK not in file.read(2000):
                raise AtlasError(f"{folder} holds another website: name another folder with --out")


def _sheet(atlas: TileAtlas, section: Section, folder: Path) -> Path:
    path = folder / section.file
    write_whole(path, atlas.sheet_bytes(section.place))
    return path


def _text(path: Path, text: str) -> Path:
    write_whole(path, text.encode())
    return path


def _unit(page: Page, section: Section) -> dict[str, Any]:
    return {"address": str(section.place), "page": page.file, "channels": section.width}


def _channels(page: Page, weights: Weights) -> dict[str, Any]:
    """By anchor, what a script shows of a picked channel."""
    return {
        anchor(section.place, channel): {
            "unit": f"{section.place}:{channel}",
            "words": words(section.tiles.get(channel)),
            "readers": weights.readers(section.place, channel),
            "app": _in_app(section.place, channel),
        }
        for section in page.sections
        for channel in range(section.width)
    }


def _in_app(place: Place, channel: int) -> str:
    """The end of a channel's address in the app; empty for what the page Module does not show."""
    shown = place.module is not None or place.unit == STEM_UNITS[-1]
    return f"/module?unit={quote(f'{place}:{channel}', safe=':')}" if shown else ""


@cache
def _environment() -> Environment:
    environment = markup(_HERE)
    environment.globals |= {
        "anchor": anchor,
        "cover": cover,
        "numbers_of": numbers_of,
        "words": words,
        "colours": COLOURS,
    }
    return environment


def _template(name: str) -> Any:
    return _environment().get_template(name)
