"""What an unfinished atlas keeps: a lossless PNG for every few tiles, so that an interruption loses no work."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ..whole_file import whole
from .places import Place
from .result import Visualization
from .tiles import QUALITY, Recipe, Sheet, Tile, columns_of, sheet_name

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "parts"
LOCK = ".building"
"""Lies in a folder as long as a build is at work there."""
_FACTS = "inceptionscope"
EMPTY = 128
"""The grey of a sheet where there is no tile yet."""

Pixels = NDArray[np.uint8]


class AtlasError(ValueError):
    """An atlas can't be started or go on; the message says what was found, what is kept and what to do."""


@dataclass(frozen=True)
class Made:
    """A tile and its pixels (side, side, 3)."""

    tile: Tile
    pixels: Pixels


def made_of(found: Visualization, channel: int, side: int) -> Made:
    """What an atlas keeps of a channel's picture."""
    return Made(Tile.of(found, channel), shrunk(found.pixels[0], side))


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """A picture at a tile's size."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))


class Parts:
    """The finished pieces of convolutions whose sheets are not whole yet. `checkpoint` and recipe are theirs alone."""

    def __init__(self, folder: Path, checkpoint: str, recipe: Recipe) -> None:
        self.folder, self.recipe = folder / FOLDER, recipe
        asked = repr((checkpoint, recipe))
        self.owner = hashlib.sha256(asked.encode()).hexdigest()

    def path(self, place: Place, first: int) -> Path:
        """The file of the piece that begins with a channel."""
        return self.folder / f"{sheet_name(place).removesuffix('.webp')}-{first:05d}.png"

    def read(self, place: Place, channels: Sequence[int]) -> list[Made] | None:
        """A finished piece; None where there is none, or a file that is not it."""
        path, side = self.path(place, channels[0]), self.recipe.side
        try:
            with Image.open(path, formats=("PNG",)) as image:
                facts = json.loads(image.text[_FACTS])  # type: ignore[attr-defined]
                if image.size != (side * len(channels), side) or facts["of"] != self.owner:
                    return None
                pixels = np.asarray(image.convert("RGB")).reshape(side, len(channels), side, 3).transpose(1, 0, 2, 3)
            tiles = [Tile(**row) for row in facts["tiles"]]
        except (OSError, ValueError, KeyError, TypeError, SyntaxError, Image.DecompressionBombError):
            return None
        if [tile.channel for tile in tiles] != list(channels):
            return None
        return [Made(tile, own) for tile, own in zip(tiles, pixels, strict=True)]

    def write(self, place: Place, made: Sequence[Made]) -> None:
        """Keeps a finished piece."""
        text = PngImagePlugin.PngInfo()
        rows = [asdict(each.tile) for each in made]
        text.add_text(_FACTS, json.dumps({"of": self.owner, "tiles": rows}, allow_nan=False))
        out = io.BytesIO()
        Image.fromarray(np.concatenate([each.pixels for each in made], axis=1)).save(out, "PNG", pnginfo=text)
        write_whole(self.path(place, made[0].tile.channel), out.getvalue())

    def forget(self, place: Place, firsts: Sequence[int]) -> None:
        """Removes the pieces of a convolution whose sheet is whole, and the folder with the last of them."""
        for first in firsts:
            self.path(place, first).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def write_sheet(path: Path, made: Mapping[int, Made], width: int, side: int) -> Sheet:
    """Writes the tiles of a convolution of `width` channels as one picture, grey where there is none."""
    columns = columns_of(width)
    sheet = Sheet(columns, {channel: each.tile for channel, each in sorted(made.items())})
    rows = -(-width // columns)
    pixels = np.full((rows * side, columns * side, 3), EMPTY, np.uint8)
    for channel, each in made.items():
        column, row = sheet.position(channel)
        pixels[row * side : (row + 1) * side, column * side : (column + 1) * side] = each.pixels
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=QUALITY, method=6)
    write_whole(path, out.getvalue())
    return sheet


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps a folder for one build at a time: each writes the index from what it has made itself, and would lose the
    other's. Raises AtlasError where another one is at work. A process that is killed leaves nothing locked."""
    path = folder / LOCK
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("w"))
        except OSError:  # no place to write to, which is told with the first file that is written
            yield
            return
        if fcntl is None:
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = not path.is_file() or path.stat().st_ino != os.fstat(file.fileno()).st_ino  # removed in between
        except BlockingIOError:
            taken = True
        except OSError:  # a file system without locks
            taken = False
        if taken:
            raise AtlasError(
                f"another `atlas build` is at work in {folder}: wait until it has ended, or name another folder with "
                "--out"
            )
        stack.callback(path.unlink, missing_ok=True)
        yield


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that it is there completely or not at all; raises AtlasError where the disk has no room."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(data)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise AtlasError(f"{path} can't be written ({error.strerror or error}): name another folder") from None
        raise AtlasError(
            f"the disk of {path.parent} is full: what is finished is kept; make room and run the same command again, "
            "and it goes on from there"
        ) from None
