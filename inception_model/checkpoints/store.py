"""Finding, reading and writing checkpoints by name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..training.calibration import Calibration
from .checkpoint import ASSETS, BUNDLED, Checkpoint, CheckpointError
from .download import PUBLISHED, fetched, local_file
from .fitted_heads import SUFFIX, with_fitted_heads
from .formats import read
from .measured import calibration_to_json
from .rewriting import rewritten
from .safetensors_format import CALIBRATION, write

_FOLDER = ASSETS / "checkpoints"


def save(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Writes a checkpoint as fp16 safetensors (atomically) and returns it as read back, with the file's hash.

    Its name and hash are not stored: the one belongs to whoever loads it, the other to the file.
    """
    write(checkpoint, path)
    return read(path).with_name(checkpoint.name)


def load(name_or_path: str | Path, *, fitted: bool = True) -> Checkpoint:
    """A checkpoint by its name (see `download.PUBLISHED`; `tiny-imagenet` is bundled) or from a file of any format.

    With the heads that `fit-heads` has put beside it, unless `fitted` is False; where that file can't be used, the
    checkpoint is what it is without, and its `fitted_refused` says why. Raises CheckpointError where there is no
    checkpoint, or where the file is not what its format promises.
    """
    found = _alone(name_or_path)
    return with_fitted_heads(found, heads_path(name_or_path)) if fitted else found


def _alone(name_or_path: str | Path) -> Checkpoint:
    name = str(name_or_path)
    if name == BUNDLED:
        return _bundled()
    if name in PUBLISHED:
        return PUBLISHED[name].describe(read(fetched(PUBLISHED[name])))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        known = ", ".join((BUNDLED, *PUBLISHED))
        raise CheckpointError(f"no checkpoint {name!r}: it is neither a file nor one of the known names ({known})")
    return read(path)


def file_of(name_or_path: str | Path) -> Path:
    """Where a checkpoint's file lies, or would lie."""
    name = str(name_or_path)
    if name == BUNDLED:
        return _FOLDER / f"{BUNDLED}.safetensors"
    return local_file(PUBLISHED[name]) if name in PUBLISHED else Path(name_or_path).expanduser()


def beside(name_or_path: str | Path, suffix: str) -> Path:
    """Where what belongs to a checkpoint lies: `NAME.suffix` beside its file, which may be named as for `load`."""
    file = file_of(name_or_path)
    return file.with_name(f"{file.stem}.{suffix}")


def heads_path(name_or_path: str | Path) -> Path:
    """Where heads lie that were fitted afterwards: `NAME.heads.safetensors` beside the checkpoint's file."""
    return beside(name_or_path, SUFFIX)


def save_calibration(calibration: Calibration, path: Path, out: Path) -> Checkpoint:
    """Writes the file `path` with this calibration to `out`, which may be `path`, and returns it as read back.

    Weights and all other metadata stay as they are, to the bit. Raises CheckpointError where it can't be written;
    what was there stays.
    """
    rewritten(path, {CALIBRATION: calibration_to_json(calibration)}, out)
    return read(out)


def _bundled() -> Checkpoint:
    """The checkpoint in `assets`, with the card that lies beside it."""
    found = read(file_of(BUNDLED))
    card = _FOLDER / f"{BUNDLED}.md"
    return replace(found, name=BUNDLED, card=card.read_text(encoding="utf-8") if card.is_file() else found.card)
