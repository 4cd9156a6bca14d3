"""Finished pictures in the cache folder, bounded in size: what was made once is there after a restart."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from .._version import __version__
from ..checkpoints.download import cache_folder
from .objectives import Objective
from .result import Natural, Visualization
from .settings import Settings

BYTES = 64 * 2**20
"""The folder's bound: some 1,500 pictures of 128 pixels. The ones that were looked at longest ago go first."""
MOST_BYTES_OF_ONE = 8 * 2**20
"""A larger file is not one of ours."""
_FACTS = "inceptionscope"


class KeptPictures:
    """A folder with one PNG per result; the numbers are in its text. Nothing here raises: what cannot be read or
    written is not kept."""

    def __init__(self, folder: Path | None = None, limit: int = BYTES) -> None:
        self.folder = folder or cache_folder() / "visualizations"
        self.limit = limit

    def path(self, network: str, objective: Objective, settings: Settings) -> Path:
        """The file of a result: `network` says whose it is (hash of the checkpoint, device, precision)."""
        asked = repr((__version__, network, objective, settings))
        return self.folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.png"

    def find(self, network: str, objective: Objective, settings: Settings) -> Visualization | None:
        """What is kept, or None; a file that is not what was asked for is removed."""
        path = self.path(network, objective, settings)
        try:
            if path.stat().st_size > MOST_BYTES_OF_ONE:
                raise ValueError("too large")
            found = _read(path.read_bytes(), objective, settings)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SyntaxError, Image.DecompressionBombError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return found

    def keep(self, network: str, made: Visualization) -> None:
        """Writes a result, and makes room for it."""
        path = self.path(network, made.objective, made.settings)
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_written(made))
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            self._trim()

    def _trim(self) -> None:
        files = []
        for path in (*self.folder.glob("*.png"), *self.folder.glob("*.part")):
            with contextlib.suppress(OSError):
                stat = path.stat()
                files.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files, key=lambda entry: entry[0]):
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


def _written(made: Visualization) -> bytes:
    facts = made.as_dict()
    text = PngImagePlugin.PngInfo()
    text.add_text(_FACTS, json.dumps({name: facts[name] for name in ("objective", "strengths", "natural", "curve")}))
    out = io.BytesIO()
    made.image.save(out, "PNG", pnginfo=text)
    return out.getvalue()


def _read(data: bytes, objective: Objective, settings: Settings) -> Visualization:
    """Raises one of many errors where the bytes are not what `_written` makes of such a result."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        wide, size = image.size
        if wide != settings.pictures * size or (settings.size or size) != size or size > 1024:
            raise ValueError("another size")
        pixels = np.asarray(image.convert("RGB"))
        facts = json.loads(image.text[_FACTS])  # type: ignore[attr-defined]
    curve, strengths = (np.asarray(facts[name], dtype=np.float32) for name in ("curve", "strengths"))
    if facts["objective"] != objective.name or strengths.shape != (settings.pictures,):
        raise ValueError("another objective")
    natural = None if facts["natural"] is None else Natural(**facts["natural"])
    apart = np.ascontiguousarray(pixels.reshape(size, settings.pictures, size, 3).transpose(1, 0, 2, 3))
    return Visualization(objective, settings, apart, curve.reshape(-1, settings.pictures), strengths, natural)
