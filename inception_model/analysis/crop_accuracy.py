"""Accuracy with crops and ensembles, as in the paper's Table 3: 1, 10 and 144 crops, one model and all of them.

One crop is the network's own centre view, as everywhere else. More are those of `images.crops`; the first ten are among
the 144, so that a run over 144 fills all rows. A run writes what it has found into a file and goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..images.crops import COUNTS, first_crops, views
from ..inference.classifier import Classifier
from ..inference.voting import check_ensemble, distinct_names, logits_of, probabilities
from ..progress import Progress, report
from ..training.data import DatasetError, LabelledImages
from ..training.evaluation import BATCH, HeadAccuracy, accuracy_of_places, places
from ..whole_file import whole

SAVE_SECONDS = 2.0
"""The file is written at most so often."""
FORMAT = 1


@dataclass(frozen=True)
class Row:
    """`models` networks over `crops` crops: head -> accuracy. For one model, the mean over the members, each alone;
    `members`: checkpoint (as `distinct_names` calls it) -> head -> accuracy."""

    models: int
    crops: int
    heads: dict[HeadName, HeadAccuracy]
    members: dict[str, dict[HeadName, HeadAccuracy]]

    @property
    def cost(self) -> int:
        """Forward passes per photo, as the paper counts them."""
        return self.models * self.crops


@dataclass
class CropAccuracy:
    """Every image's label's place, up to image number `done`. `places`: "crops/voter/head" -> the place among the first
    five, 0 where it is not there; a voter is a member's number, or `all`. With a `file` they are saved on the way."""

    settings: dict[str, Any]
    places: dict[str, list[int]]
    done: int = 0
    seconds: float = 0.0
    small: int = 0
    file: Path | None = field(default=None, compare=False)

    @property
    def counts(self) -> tuple[int, ...]:
        """The crop counts that are measured."""
        return tuple(count for count in COUNTS if count <= self.settings["crops"])

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """The heads that every member has trained."""
        return tuple(self.settings["heads"])

    def rows(self) -> list[Row]:
        """One model by every count, then all models by every count."""
        if not self.done:
            raise DatasetError("nothing was measured yet")
        names = distinct_names([(name, identity) for name, identity in self.settings["checkpoints"]])

        def accuracy(count: int, voter: str) -> dict[HeadName, HeadAccuracy]:
            return {head: accuracy_of_places(self.places[_key(count, voter, head)]) for head in self.heads}

        rows = []
        for count in self.counts:
            alone = [accuracy(count, str(number)) for number in range(len(names))]
            average = {
                head: HeadAccuracy(mean(one[head].top1 for one in alone), mean(one[head].top5 for one in alone))
                for head in self.heads
            }
            rows.append(Row(1, count, average, dict(zip(names, alone, strict=True))))
        if len(names) > 1:
            rows += [Row(len(names), count, accuracy(count, "all"), {}) for count in self.counts]
        return rows

    def save(self) -> None:
        """Writes the file as a whole or not at all; DatasetError where the disk has no room: what was there stays."""
        if self.file is None:
            return
        told = {name: value for name, value in asdict(self).items() if name != "file"}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with whole(self.file) as part:
                part.write_text(json.dumps({"hash": settings_hash(self.settings), **told}) + "\n", encoding="utf-8")
        except OSError as error:
            raise DatasetError(
                f"{self.file} can't be written ({error.strerror}); what it held before is kept: make room, and the "
                "same command goes on"
            ) from None

    def goes_on(self) -> CropAccuracy:
        """These results, or those of the file where it has been begun; DatasetError where it was asked otherwise."""
        if self.file is None or not self.file.exists():
            return self
        try:
            told = json.loads(self.file.read_text(encoding="utf-8"))
            found = told.pop("hash")
            former = CropAccuracy(**told, file=self.file)
            if any(len(values) != former.done for values in former.places.values()):
                raise ValueError("its lists are not of one length")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{self.file} is no result of `evaluate --out` ({type(error).__name__}: {error}); name another file"
            ) from None
        if found != settings_hash(self.settings):
            mine, theirs = self.settings, former.settings
            other = sorted(key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key))
            what = "; ".join(f"{key} {theirs.get(key)} there, {mine.get(key)} here" for key in other)
            raise DatasetError(
                f"{self.file} was begun with other settings ({what or 'its hash is of none that it names'}); name "
                "another file, or remove it to start again"
            )
        return former


def _key(count: int, voter: str, head: str) -> str:
    return f"{count}/{voter}/{head}"


def settings_hash(settings: dict[str, Any]) -> str:
    """SHA-256 of settings, whatever the order of their names."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def settings_of(members: Sequence[Classifier], images: LabelledImages, data: str, crops: int) -> dict[str, Any]:
    """All that decides the result, as plain JSON. `data`: the hash of the images."""
    return {
        "format": FORMAT,
        "checkpoints": [[member.checkpoint.name, member.checkpoint.identity] for member in members],
        "temperatures": [dict(member.temperatures) for member in members],
        "precision": sorted({member.precision for member in members}),
        "heads": list(check_ensemble(members)),
        "crops": crops,
        "data": data,
        "images": len(images),
    }


def crop_accuracy(
    members: Sequence[Classifier],
    images: LabelledImages,
    data: str,
    crops: int,
    *,
    batch: int | None = None,
    file: Path | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> CropAccuracy:
    """Measures every image that `file` does not hold yet, with 1, 10 and 144 crops up to `crops`.

    `data`: the images' hash (`training.fingerprint.data_hash`); `batch`: pictures in one forward pass (default: what is
    fastest). Raises
    EnsembleError where the members can't vote together, DatasetError without images or where the file was begun with
    other settings, Cancelled where `cancel` is set; what was found until then is in the file.
    """
    if crops not in COUNTS:
        raise ValueError(f"{crops} crops were asked for; allowed: {', '.join(map(str, COUNTS))}")
    if not len(images):
        raise DatasetError("there are no images to measure on")
    settings = settings_of(members, images, data, crops)
    voters = [*map(str, range(len(members))), *(["all"] if len(members) > 1 else [])]
    counts = [count for count in COUNTS if count <= crops]
    keys = [_key(count, voter, head) for count in counts for voter in voters for head in settings["heads"]]
    empty: dict[str, list[int]] = {key: [] for key in keys}
    found = CropAccuracy(settings, empty, file=file).goes_on()
    step = max(1, (batch or BATCH) // crops)  # of many crops, one image fills a batch
    saved = time.monotonic()
    try:
        for start in range(found.done, len(images), step):
            report(start, len(images), progress, cancel)
            begun = time.perf_counter()
            numbers = range(start, min(start + step, len(images)))
            _measure(found, members, images, numbers, counts, batch)
            found.seconds += time.perf_counter() - begun
            if time.monotonic() - saved > SAVE_SECONDS:
                found.save()
                saved = time.monotonic()
    finally:
        found.save()
    report(len(images), len(images), progress, cancel)
    return found


def _measure(
    found: CropAccuracy,
    members: Sequence[Classifier],
    images: LabelledImages,
    numbers: range,
    counts: Sequence[int],
    batch: int | None,
) -> None:
    """Adds the places of these images, all of them or, where one can't be decoded, none."""
    photos = [images[number][0] for number in numbers]
    labels = torch.from_numpy(images.labels[list(numbers)])
    own = _centre_scores(members, photos, found.heads, batch)
    added = {_key(1, voter, head): places(scores, labels) for (voter, head), scores in own.items()}
    for count in counts[1:]:
        for key in (key for key in found.places if key.startswith(f"{count}/")):
            added[key] = []
    if counts[-1] > 1:
        for number, photo in enumerate(photos):
            scores = _crop_scores(members, photo, found.heads, counts[1:], batch)
            for (count, voter, head), score in scores.items():
                added[_key(count, voter, head)] += places(score[None], labels[number : number + 1])
    for key, values in added.items():
        found.places[key] += values
    side = members[0].preprocessing.size
    found.small += sum(min(photo.size) < side for photo in photos)
    found.done = numbers.stop


def _centre_scores(
    members: Sequence[Classifier], photos: Sequence[Any], heads: Sequence[HeadName], batch: int | None
) -> dict[tuple[str, HeadName], Tensor]:
    """(voter, head) -> (n, K): one model's logits, which rank as its probabilities do, and all models' mean
    probability."""
    pictures = np.stack([np.asarray(members[0].preprocessing.crop(photo)) for photo in photos])
    logits = [logits_of(member, pictures, batch=batch) for member in members]
    scores = {(str(place), head): one[head] for place, one in enumerate(logits) for head in heads}
    if len(members) > 1:
        for head in heads:
            scores["all", head] = (
                torch.stack(
                    [member.probabilities(one[head], head) for member, one in zip(members, logits, strict=True)]
                )
                .double()
                .mean(0)
            )
    return scores


def _crop_scores(
    members: Sequence[Classifier], photo: Any, heads: Sequence[HeadName], counts: Sequence[int], batch: int | None
) -> dict[tuple[int, str, HeadName], Tensor]:
    """(count, voter, head) -> (K,) mean probability of one photo."""
    seen = views(photo, first_crops(counts[-1]), members[0].preprocessing)
    answers = [probabilities(member, logits_of(member, seen.pictures, batch=batch), seen) for member in members]
    scores = {}
    for head in heads:
        each = torch.cat([one[head] for one in answers]).double()  # (models, crops, K)
        for count in counts:
            for place, own in enumerate(each):
                scores[count, str(place), head] = own[:count].mean(0)
            if len(members) > 1:
                scores[count, "all", head] = each[:, :count].mean((0, 1))
    return scores
