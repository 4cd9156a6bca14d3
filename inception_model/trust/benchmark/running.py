"""`run`: every method and every map that says nothing, measured on every image, into a folder that can go on later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...architecture.spec import HeadName
from ...attribution import METHODS
from ...attribution.batched import enlarged, heatmaps
from ...attribution.explaining import find_method, trained_head
from ...images.baselines import baseline
from ...images.decode import ImageError
from ...inference.classifier import Classifier
from ...progress import Progress, report
from ...training.data import DatasetError, LabelledImages
from ...training.evaluation import BATCH
from ...training.fingerprint import data_hash, image_name
from ..curves import BASELINE
from ..measuring import Aim
from .metrics import Mark, Protocol, Score, Subject, measure
from .records import ImageRecord, Manifest, Store
from .rivals import RIVALS

CHUNK = 8
"""Images whose maps are made together. Fixed, so that a run that goes on adds up the same numbers in the same order."""
CHEAP = tuple(name for name, method in METHODS.items() if method.cost() <= 4)
"""Methods that take no longer than four forward passes of an image: what is measured when none is named."""

DEFAULT_AIM: Aim = "predicted"


@dataclass(frozen=True)
class Plan:
    """What a benchmark measures: methods, heads, for which class, and how."""

    methods: tuple[str, ...]
    heads: tuple[HeadName, ...]
    aim: Aim
    protocol: Protocol

    def settings(self, classifier: Classifier) -> dict[str, Any]:
        """As the manifest holds them: as JSON gives them back."""
        values = asdict(self.protocol) | {"removed": list(self.protocol.removed)}
        plan = {"methods": list(self.methods), "heads": list(self.heads), "target": self.aim}
        return plan | values | {"precision": classifier.precision}


def plan(
    classifier: Classifier,
    methods: Sequence[str] = CHEAP,
    heads: Sequence[str] = (),
    aim: Aim = DEFAULT_AIM,
    protocol: Protocol | None = None,
) -> Plan:
    """Checks names; without heads, all that were trained. Raises AttributionError on unknown methods and heads."""
    names = tuple(dict.fromkeys(find_method(name).name for name in methods))
    trained = tuple(dict.fromkeys(trained_head(classifier, head) for head in heads or classifier.trained_heads))
    return Plan(names, trained, aim, protocol or Protocol())


def run(
    classifier: Classifier,
    images: LabelledImages,
    root: Path,
    chosen: Plan,
    folder: Path,
    *,
    batch: int = BATCH,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Store:
    """Measures the images of `root` that the folder has no record of, image by image; returns the folder's store.

    Images that can't be decoded are recorded with their error. `batch`: changed images in one forward pass. `progress`
    counts images; setting `cancel` raises Cancelled before the next image. Raises BenchmarkError where the folder
    holds another benchmark or the disk is full, DatasetError without images.
    """
    if not len(images):
        raise DatasetError(f"{root} has no images to measure on")
    known = classifier.checkpoint
    manifest = Manifest(known.sha256, known.name, data_hash(images, root), len(images), chosen.settings(classifier))
    store = Store(folder, manifest)
    done = set(store.read())
    for start in range(0, len(images), CHUNK):
        chunk = range(start, min(start + CHUNK, len(images)))
        if done.issuperset(chunk):
            continue
        for record in _records(classifier, images, chunk, root, chosen, batch, done, cancel):
            store.append(record)
            done.add(record.index)
            report(len(done), len(images), progress, cancel)
    report(len(done), len(images), progress, cancel)
    return store


def _records(
    classifier: Classifier,
    images: LabelledImages,
    chunk: range,
    root: Path,
    chosen: Plan,
    batch: int,
    done: set[int],
    cancel: threading.Event | None,
) -> Iterable[ImageRecord]:
    """The records of a chunk that are not done. Maps are made of all its images, so that they come out the same."""
    decoded: dict[int, Tensor] = {}
    for index in chunk:
        try:
            decoded[index] = classifier.preprocessing(images.photo(index).image)
        except ImageError as error:
            if index not in done:
                yield ImageRecord(index, image_name(images.encoded[index], index, root), {}, {}, {}, 0.0, str(error))
    if not decoded:
        return
    x = torch.cat(list(decoded.values())).to(classifier.device, torch.float32)
    labels = [int(images.labels[index]) for index in decoded]
    maps = _Maps.of(classifier, x, labels, chosen, cancel)
    for place, index in enumerate(decoded):
        if index not in done:
            report(0, 1, None, cancel)
            name = image_name(images.encoded[index], index, root)
            yield _record(classifier, x[place], maps, place, index, name, chosen, batch)


@dataclass(frozen=True)
class _Maps:
    """Of some images: classes by head, maps (N, S, S) by method and head, and the seconds that one took."""

    targets: dict[HeadName, list[int]]
    found: dict[tuple[str, HeadName], Tensor]
    seconds: dict[tuple[str, HeadName], float]

    @classmethod
    def of(
        cls, classifier: Classifier, x: Tensor, labels: list[int], chosen: Plan, cancel: threading.Event | None
    ) -> _Maps:
        """Makes every method's maps at every head, each method by itself so that its time is its own."""
        answers = classifier.heads_of(x)
        targets: dict[HeadName, list[int]] = {}
        found: dict[tuple[str, HeadName], Tensor] = {}
        seconds: dict[tuple[str, HeadName], float] = {}
        for head in chosen.heads:
            logits = answers.of(head)
            targets[head] = labels if chosen.aim == "true" else logits.argmax(1).tolist()
            for method in chosen.methods:
                started = time.perf_counter()
                made = heatmaps(classifier, x, (method,), head, targets[head], published=True, cancel=cancel)[method]
                seconds[method, head] = (time.perf_counter() - started) / len(x)
                found[method, head] = made
        return cls(targets, found, seconds)


def _record(
    classifier: Classifier, x: Tensor, maps: _Maps, place: int, index: int, name: str, chosen: Plan, batch: int
) -> ImageRecord:
    started = time.perf_counter()
    side, seed = x.shape[-1], chosen.protocol.seed + 1_000_003 * index  # images apart, whatever was measured before
    targets = {head: maps.targets[head][place] for head in chosen.heads}
    blur, grey = (baseline(BASELINE[kind], x[None], classifier.preprocessing)[0] for kind in ("insertion", "deletion"))
    marks: dict[str, dict[str, Mark | None]] = {}
    everywhere = scorer(classifier, targets, batch)
    whole, blurred, mean = everywhere(torch.stack([x, blur, grey]))[0]
    for rival in RIVALS.values():  # the same images for every head: one pass answers for all
        subject = Subject(x, blur, grey, whole, blurred, mean)
        found = measure(rival.heatmap(side, seed), subject, everywhere, chosen.protocol, seed)
        marks[rival.name] = dict(zip(chosen.heads, found, strict=True))
    for column, head in enumerate(chosen.heads):
        subject = Subject(x, blur, grey, *(end[column : column + 1] for end in (whole, blurred, mean)))
        score = scorer(classifier, {head: targets[head]}, batch)
        for method in chosen.methods:
            heatmap = maps.found[method, head][place]
            empty = bool(heatmap.max() == heatmap.min())
            large = enlarged(heatmap[None], side)[0]
            mark = None if empty else measure(large, subject, score, chosen.protocol, seed)[0]
            marks.setdefault(method, {})[head] = mark
    seconds = {
        method: {str(head): round(maps.seconds[method, head], 4) for head in targets} for method in chosen.methods
    }
    spent = round(time.perf_counter() - started, 3)
    return ImageRecord(index, name, {str(head): target for head, target in targets.items()}, marks, seconds, spent)


def scorer(classifier: Classifier, targets: dict[HeadName, int], batch: int) -> Score:
    """Asks `targets` (a class per head) of images, `batch` at a time; several heads share a pass."""

    def logits_of(images: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            if len(targets) > 1:
                heads = classifier.heads_of(images)
                return [heads.of(head) for head in targets]
            prepared = classifier.to_input(images)
            return [classifier.network.head_logits(prepared, head).float().cpu() for head in targets]

    def score(images: Tensor) -> tuple[Tensor, Tensor]:
        scores: list[Tensor] = []
        same: list[Tensor] = []
        for part in torch.split(images, batch):
            by_head = list(zip(logits_of(part), targets.values(), strict=True))
            # As in the papers of the measures: at no temperature, so that a table stays true when heads are calibrated.
            scores.append(torch.stack([logits.softmax(1)[:, target] for logits, target in by_head], 1))
            same.append(torch.stack([logits.argmax(1) == target for logits, target in by_head], 1))
        return torch.cat(scores), torch.cat(same)

    return score
