"""What a training run leaves in its folder: the log, and the state to go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

LAST = "last.pt"
LOG = "log.jsonl"


class TrainingError(RuntimeError):
    """A run can't start or go on; the message says what was found, what is kept and what to do."""


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

    def load(self, identity: str, device: torch.device) -> dict[str, Any] | None:
        """The state to go on from; None where nothing was saved yet.

        Raises TrainingError where it can't be read, or where its "config" isn't `identity`.
        """
        if not self.last.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.last, map_location=device, weights_only=True)
            found = state["config"]
        except Exception as error:
            raise TrainingError(f"{self.last} can't be read ({error}): remove it to start anew") from error
        if found != identity:
            raise TrainingError(f"{self.last} is of a run with other settings: {found}. Use another --out folder.")
        return state

    def _disk_error(self, error: Exception, step: int) -> TrainingError:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        kept = f"{self.last} holds an earlier step" if self.last.is_file() else "nothing was saved yet"
        return TrainingError(
            f"step {step} can't be saved in {self.path} ({reason}); {kept}: make room, and the same command goes on"
        )
