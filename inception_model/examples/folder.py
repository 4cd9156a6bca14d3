"""An index's folder: a manifest that says what is looked at, shards while it is built, and the finished tables.

A run that was interrupted goes on where it stopped; of another checkpoint, other data or other settings it is refused.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ..training.fingerprint import run_difference
from ..whole_file import whole
from .shards import TABLES, Shard

FORMAT = 1
MANIFEST, SUMMARY, SHARDS = "manifest.json", "summary.json", "shards"
_COMPRESSION = "zstd"


class IndexFolderError(ValueError):
    """An index can't be built, gone on with or read; the message says what was found and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a folder indexes. Two runs belong together only if all of it is equal but the two names.

    `checkpoint`: SHA-256 of the file; `data`: of the list of images; `settings`: all else that decides the result.
    """

    checkpoint: str
    name: str
    data: str
    source: str
    images: int
    settings: dict[str, Any]
    format: int = FORMAT


@dataclass(frozen=True)
class Summary:
    """That an index is finished: `used` images and the `broken` ones (name, error), `map`: how points were placed."""

    used: int
    broken: list[list[str]]
    map: str = ""
    explained: list[float] = field(default_factory=list)


T = TypeVar("T", Manifest, Summary)


class IndexFolder:
    """The folder of one index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = folder / SHARDS

    def begin(self, manifest: Manifest) -> None:
        """Makes the folder, or goes on in it; raises IndexFolderError where it holds something else."""
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / MANIFEST).is_file():
            if found := run_difference(manifest, self.manifest()):
                raise IndexFolderError(
                    f"{self.folder} holds an index that differs: {found}. Name another folder, or remove this one to "
                    "start again."
                )
        elif any(self.folder.iterdir()):
            raise IndexFolderError(f"{self.folder} is not empty and holds no index: name another folder")
        else:
            self._write_json(MANIFEST, asdict(manifest))
        with self.writing():
            if self.shards.is_dir():
                for left in self.shards.glob("*.part"):  # what a killed run was writing
                    shutil.rmtree(left)

    def manifest(self) -> Manifest:
        """What it indexes; raises IndexFolderError where it is none."""
        return self._parsed(MANIFEST, Manifest)

    def summary(self) -> Summary | None:
        """What it holds, once it is finished."""
        return self._parsed(SUMMARY, Summary) if (self.folder / SUMMARY).is_file() else None

    def write_summary(self, summary: Summary) -> None:
        """Says that it is finished; the shards go, whose content the tables have."""
        self._write_json(SUMMARY, asdict(summary))
        shutil.rmtree(self.shards, ignore_errors=True)

    def done(self) -> set[int]:
        """The shards that are there."""
        names = (path.name for path in self.shards.glob("[0-9]*") if path.is_dir()) if self.shards.is_dir() else ()
        return {int(name) for name in names if name.isdecimal()}

    def write_shard(self, number: int, shard: Shard) -> None:
        """Writes a shard completely or not at all."""
        place = self.shards / f"{number:06}"
        with self.writing(), whole(place) as part:
            part.mkdir(parents=True, exist_ok=True)
            for name, table in shard.tables().items():
                self._write(part / f"{name}.parquet", table)

    def read_shard(self, number: int) -> Shard:
        """A shard; one that can't be read is removed, and IndexFolderError says to run again."""
        place = self.shards / f"{number:06}"
        try:
            return Shard(*(pq.read_table(place / f"{name}.parquet") for name in TABLES))
        except (OSError, pa.ArrowException) as error:
            shutil.rmtree(place, ignore_errors=True)
            raise IndexFolderError(
                f"{place} was damaged and is removed: run the same command again, which makes it anew"
            ) from error

    def write_table(self, name: str, table: pa.Table) -> None:
        """Writes one of the finished tables completely or not at all."""
        file = self.folder / f"{name}.parquet"
        with self.writing(), whole(file) as part:
            self._write(part, table)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """One of the finished tables, or some of its columns."""
        file = self.folder / f"{name}.parquet"
        try:
            return pq.read_table(file, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise IndexFolderError(_unreadable(file)) from error

    def has_table(self, name: str) -> bool:
        """Whether a finished table of that name is there."""
        return (self.folder / f"{name}.parquet").is_file()

    def columns(self, name: str) -> list[str]:
        """The names of a finished table's columns."""
        file = self.folder / f"{name}.parquet"
        try:
            return list(pq.read_schema(file).names)
        except (OSError, pa.ArrowException) as error:
            raise IndexFolderError(_unreadable(file)) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Says in a sentence that the disk is full, and what becomes of what is there."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise IndexFolderError(
                f"the disk of {self.folder} is full: what was measured so far is kept; make room and run the same "
                "command again, and it goes on from there"
            ) from None

    def _write(self, file: Path, table: pa.Table) -> None:
        pq.write_table(table, file, compression=_COMPRESSION)

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        file = self.folder / name
        with self.writing(), whole(file) as part:
            part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def _parsed(self, name: str, kind: type[T]) -> T:
        file = self.folder / name
        try:
            return kind(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise IndexFolderError(f"{self.folder.name} holds no index: `index DATA --out FOLDER` makes one") from None
        except (OSError, ValueError, TypeError) as error:
            raise IndexFolderError(_unreadable(file)) from error


def _unreadable(file: Path) -> str:
    """Without the way to the file: pages repeat the sentence to visitors."""
    return f"{file.parent.name}/{file.name} is missing or damaged: build the index in another folder"
