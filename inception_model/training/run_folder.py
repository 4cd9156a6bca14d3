"""What a training run leaves in its folder: the log, and the state to go on from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

LAST = "last.pt"
LOG = "log.jsonl"
CHECKPOINT = "checkpoint.safetensors"


LOG_BYTES = 64 << 20
"""What is read of a log at most: years of training write less."""


class TrainingError(RuntimeError):
    """A run can't start or go on; the message says what was found, what is kept and what to do."""


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log, oldest first; none where there is no such file. A line that a crash has cut is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as log:
        lines = log.read(LOG_BYTES).splitlines()
    records = []
    for line in lines:
        with contextlib.suppress(ValueError):
            records.append(json.loads(line))
    return [record for record in records if isinstance(record, dict)]


def log_beside(checkpoint: Path) -> Path | None:
    """The log of the run that wrote this checkpoint's file; None where it isn't a run's, or the log is gone."""
    log = checkpoint.with_name(LOG)
    return log if checkpoint.name == CHECKPOINT and log.is_file() else None


class RunFolder:
    """`last.pt` to resume from, `log.jsonl` with the three heads' accuracy; made where it doesn't exist.

    Where the disk is full, TrainingError is raised and the last good state stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path:
        """Where the state to go on from lies, once there is one."""
        return self.path / LAST

    def begin(self) -> None:
        """A run starts from nothing: the log of an earlier one is kept under another name, `log.1.jsonl` and so on."""
        log, number = self.path / LOG, 1
        if not log.is_file():
            return
        while (kept := log.with_suffix(f".{number}.jsonl")).exists():
            number += 1
        log.rename(kept)

    def log(self, record: dict[str, Any]) -> None:
        """One more line in the log; the record has the step."""
        try:
            with (self.path / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
        except OSError as error:
            raise self._disk_error(error, record["step"]) from error

    def save(self, state: dict[str, Any]) -> None:
        """Puts the state, which has the step, in the place of the last one, as a whole or not at all."""
        temporary = self.path / f"{LAST}.part"
        try:
            torch.save(state, temporary)
            temporary.replace(self.last)
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
            temporary.unlink(missing_ok=True)
            raise self._disk_error(error, state["step"]) from error

    def load(self, identity: str, device: torch.device, same: Callable[[str, str], bool]) -> dict[str, Any] | None:
        """The state to go on from; None where nothing was saved yet.

        Raises TrainingError where it can't be read, or where its "config" isn't the `same` run as `identity`.
        """
        if not self.last.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.last, map_location=device, weights_only=True)
            found = state["config"]
        except Exception as error:
            raise TrainingError(f"{self.last} can't be read ({error}): remove it to start anew") from error
        if not same(found, identity):
            raise TrainingError(f"{self.last} is of a run with other settings: {found}. Use another --out folder.")
        return state

    def _disk_error(self, error: Exception, step: int) -> TrainingError:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = f"{self.last} holds an earlier step" if self.last.is_file() else "nothing was saved yet"
        return TrainingError(
            f"step {step} can't be saved in {self.path} ({reason}); {kept}: make room, and the same command goes on"
        )
