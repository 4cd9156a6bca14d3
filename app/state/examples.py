"""What is known of a data set's images for the chosen checkpoint: an index, and the images themselves.

The index lies in the folder that the operator names, or, ids and numbers alone, in a file beside the weights. The
images are opened only where the operator names their folder, and only if they are those of the index.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from app.state import network, operator, shelf
from app.state.known import read_beside
from inception_model.architecture.labels import Label
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.examples.building import Data
from inception_model.examples.compact import compact_path, load_compact
from inception_model.examples.folder import SUMMARY, IndexFolderError
from inception_model.examples.index import Index, load_index
from inception_model.images.decode import ImageError, Photo
from inception_model.training.data import DatasetError, LabelledImages
from inception_model.training.fingerprint import data_hash


def index() -> Index | None:
    """The index of the chosen checkpoint; None where there is none. Raises CheckpointError or IndexFolderError for a
    wrong one, also of other weights."""
    checkpoint, folder = network.checkpoint(), operator.index_folder()
    if folder is None:
        return _beside(checkpoint)
    try:
        return _in_folder(folder, checkpoint)
    except (CheckpointError, IndexFolderError):
        found = _beside(checkpoint)
        if found is None:
            raise
        return found


def usable() -> Index | None:
    """As `index`, None for a wrong one too: the page Model says what is wrong with it."""
    try:
        return index()
    except (CheckpointError, IndexFolderError):
        return None


def photo_of(found: Index, image: int) -> Photo | None:
    """One of an index's images, decoded; None where the operator named no data, or others, or it can't be read."""
    images = _images(found)
    try:
        return images.photo(image) if isinstance(images, LabelledImages) else None
    except ImageError:
        return None


def data_problem(found: Index) -> str:
    """Why the images that the operator named are not shown, in words; empty where they are, or where none are named."""
    images = _images(found)
    return images if isinstance(images, str) else ""


def _in_folder(folder: Path, checkpoint: Checkpoint) -> Index:
    summary = folder / SUMMARY
    if not summary.is_file():
        return load_index(folder, checkpoint)
    stat = summary.stat()
    key = ("index", str(folder), stat.st_mtime_ns, stat.st_size, checkpoint.sha256)
    found: Index = shelf.ANSWERS.get(key, lambda: load_index(folder, checkpoint))
    return found


def _beside(checkpoint: Checkpoint) -> Index | None:
    return read_beside(compact_path(network.settings()[0]), load_compact, checkpoint)


def _images(found: Index) -> LabelledImages | str | None:
    root = operator.data_folder()
    return None if root is None else _opened(root, found.split, found.limit, found.data, network.checkpoint().labels)


@lru_cache(maxsize=2)
def _opened(
    root: Path, split: str, limit: int | None, wanted: str, labels: tuple[Label, ...]
) -> LabelledImages | str:  # fmt: skip
    """The images, or why they are none that can be shown; a visitor learns the folder's name, not where it lies."""
    try:
        images = Data(root, "train" if split == "train" else "validation", limit).open(labels)
    except (DatasetError, OSError) as error:
        return str(error).replace(str(root), root.name)
    same = data_hash(images, root) == wanted
    return images if same else f"the images in {root.name} are others than those that were indexed"
