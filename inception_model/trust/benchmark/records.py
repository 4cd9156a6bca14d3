"""A benchmark's folder: a manifest that says what is measured, and one line of JSON per image, only ever appended.

A run that was interrupted goes on where it stopped; a run of another checkpoint, other data or other settings is
refused, so that a table never mixes two things.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...training.fingerprint import run_difference
from ...whole_file import whole
from .metrics import Mark

FORMAT = 1
MANIFEST, RESULTS = "manifest.json", "results.jsonl"


class BenchmarkError(ValueError):
    """A benchmark can't start or go on; the message says what was found and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a folder measures. Two runs belong together only if all of it is equal.

    `checkpoint`: SHA-256 of the file; `data`: of the list of images; `settings`: everything else that moves a number.
    """

    checkpoint: str
    name: str
    data: str
    images: int
    settings: dict[str, Any]
    format: int = FORMAT


@dataclass(frozen=True)
class ImageRecord:
    """What was measured on image `index`: row -> head -> mark, None where the map was empty; `maps`: row -> head ->
    seconds for the map, `measures`: seconds for all else. `error`: why the image couldn't be used; then nothing else.
    """

    index: int
    image: str
    targets: dict[str, int]
    marks: dict[str, dict[str, Mark | None]]
    maps: dict[str, dict[str, float]]
    measures: float
    error: str | None = None


class Store:
    """The folder of one benchmark, opened for appending."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Makes the folder, or goes on in it; raises BenchmarkError where it holds something else."""
        self.folder, self.manifest = folder, manifest
        self.results = folder / RESULTS
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / MANIFEST
        if file.is_file():
            if found := run_difference(manifest, _read_manifest(file)):
                raise BenchmarkError(
                    f"{folder} holds a benchmark that differs: {found}. Name another folder, or remove this one to "
                    "start again."
                )
        elif self.results.exists():
            raise BenchmarkError(f"{folder} has {RESULTS} but no {MANIFEST}: name another folder")
        else:
            write_whole(file, json.dumps(asdict(manifest), indent=2) + "\n")
        self._mend()

    def _mend(self) -> None:
        """Cuts off a last line that a killed run left unfinished."""
        if self.results.is_file():
            content = self.results.read_bytes()
            end = content.rfind(b"\n") + 1
            if end < len(content):
                os.truncate(self.results, end)

    def read(self) -> dict[int, ImageRecord]:
        """Index -> record, in the order of the images; raises BenchmarkError for a line that is none."""
        if not self.results.is_file():
            return {}
        found: dict[int, ImageRecord] = {}
        with self.results.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = _record(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise BenchmarkError(f"{self.results}, line {number} is damaged ({error}): remove it") from None
                found.setdefault(record.index, record)
        return dict(sorted(found.items()))

    def append(self, record: ImageRecord) -> None:
        """Adds a record and waits until the disk has it; raises BenchmarkError where it has no room."""
        line = json.dumps(asdict(record), separators=(",", ":")) + "\n"
        try:
            with self.results.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise full(self.folder, error) from None


def full(folder: Path, error: OSError) -> Exception:
    """The error to raise in place of one from writing: a sentence where the disk is full, else the error itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return BenchmarkError(
        f"the disk of {folder} is full: what was measured so far is kept; make room and run the same command again, "
        "and it goes on from there"
    )


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that it is there completely or not at all."""
    try:
        with whole(file) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise full(file.parent, error) from None


def _read_manifest(file: Path) -> Manifest:
    try:
        return Manifest(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BenchmarkError(f"{file} is no manifest of a benchmark ({error}): name another folder") from None


def _record(raw: Mapping[str, Any]) -> ImageRecord:
    def mark(values: Mapping[str, Any] | None) -> Mark | None:
        if values is None:
            return None
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return Mark(**plain)

    marks = {row: {head: mark(found) for head, found in heads.items()} for row, heads in raw["marks"].items()}
    return ImageRecord(**{**raw, "marks": marks})
