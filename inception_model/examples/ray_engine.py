"""Shards measured by the workers of a Ray cluster: an extra, imported only where it is asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ..checkpoints.store import load
from ..extras import how_to_install
from ..inference.classifier import build
from .building import Data, Engine
from .folder import IndexFolderError
from .shards import TABLES, Shard, measure

WORKERS = 2
"""Workers that are asked for; each has a network and the images."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to make its own network and to find the images: every machine must see the same paths."""

    checkpoint: str
    device: str
    precision: str
    data: Data


class _Worker:
    """A network and the images on one worker; asked for a shard at a time."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.classifier = build(load(task.checkpoint), task.device, task.precision)
        self.images = task.data.open(self.classifier.checkpoint.labels)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        parts = [range(int(start), int(stop)) for start, stop in zip(batch["start"], batch["stop"], strict=True)]
        made = [measure(self.classifier, self.images, self.task.data.root, part) for part in parts]
        columns: dict[str, Any] = {name: [_written(shard.tables()[name]) for shard in made] for name in TABLES}
        return {"shard": batch["shard"], **columns}


def ray_engine(task: Task, workers: int = WORKERS) -> Engine:
    """Shards by `workers` actors of Ray Data, each with a core of its own.

    Joins the cluster that RAY_ADDRESS names, or starts one here. Raises IndexFolderError where Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise IndexFolderError(
            f"--engine ray needs Ray Data, which is not installed ({error}): {how_to_install('ray')}, or "
            "leave --engine away"
        ) from None

    def measured(parts: Mapping[int, range]) -> Iterator[tuple[int, Shard]]:
        if not parts:
            return
        started = not ray.is_initialized()
        if started:
            # Ray's own default in a worker is one thread; the number of cores here is not what it may use.
            ray.init(num_cpus=None if _joins() else workers, include_dashboard=False, log_to_driver=False)
        try:
            ray.data.DataContext.get_current().enable_progress_bars = False
            rows = [{"shard": number, "start": part.start, "stop": part.stop} for number, part in parts.items()]
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
            found = dataset.map_batches(
                _Worker, batch_size=1, fn_constructor_args=(task,), num_cpus=1,
                compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
            )  # fmt: skip
            for row in found.iter_rows():
                yield int(row["shard"]), Shard(*(_read(row[name]) for name in TABLES))
        finally:
            if started:
                ray.shutdown()

    return measured


def _joins() -> bool:
    return bool(os.environ.get("RAY_ADDRESS"))


def _written(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def _read(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
