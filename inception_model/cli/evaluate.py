"""`evaluate`: accuracy and calibration error of every head on labelled images, and which classes it takes for which.

One centre view by one checkpoint is what training and other tools report; `--crops` and a repeated `--checkpoint` give
the paper's table with its own figures beside it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from ..analysis.confusions import Confusions, Tally, confusions_path, markdown, save_confusions
from ..analysis.crop_accuracy import CropAccuracy, crop_accuracy
from ..architecture.network import Heads
from ..checkpoints.checkpoint import BUNDLED
from ..images.crops import COUNTS
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..inference.voting import check_ensemble
from ..report.saving import require_place
from ..training.calibration import ReliabilityMeter
from ..training.data import LabelledImages, open_dataset
from ..training.evaluation import BATCH, evaluate_network
from ..training.fingerprint import data_hash
from .common import (
    add_json_option,
    add_network_options,
    add_raw_option,
    add_split_option,
    classifiers_from,
    print_json,
    require_positive,
)
from .crop_table import paper_rows, row_json, table

BESIDE = Path()
"""Stands for the file beside the checkpoint's."""


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("evaluate", help="accuracy and calibration error of every head on labelled images")
    parser.add_argument("folder", type=Path, nargs="?", metavar="DATA", help="Parquet shards or ImageFolder")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the same as DATA")
    add_split_option(parser)
    parser.add_argument("--limit", type=int, help="only N images, evenly spread over the data")
    parser.add_argument(
        "--crops",
        type=int,
        choices=COUNTS,
        help="views of each image whose probabilities are averaged: 1 (the centre, default), 10 (four corners and "
        "centre with mirrors, at 256 pixels for a network of 224), 144 (the paper's, section 7); 144 gives the rows of "
        "1 and 10 too",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="save every image's result there on the way, and go on where it stops"
    )
    parser.add_argument("--batch", type=int, help=f"images in a pass (default {BATCH}, of crops what is fastest)")
    parser.add_argument(
        "--confusions",
        nargs="?",
        type=Path,
        const=BESIDE,
        metavar="FILE",
        help="count which classes are taken for which, and write the counts (beside the checkpoint where no FILE is "
        "named, where the app finds them); of one centre view by one checkpoint",
    )
    add_raw_option(parser)
    add_network_options(parser, several=True)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints a row per head (single centre view), or the table of crops and models, or JSON."""
    require_positive(args, "batch", "limit")
    if (args.folder is None) == (args.data is None):
        raise ValueError("name the folder of the data once: `evaluate DATA`, or `evaluate --data DATA`")
    data = args.data or args.folder
    members = classifiers_from(args)
    check_ensemble(members)
    images = open_dataset(data, args.split, members[0].checkpoint.labels).spread(args.limit)
    if len(members) == 1 and args.crops in (None, 1) and args.out is None:
        return _single(args, members[0], images, data)
    if args.confusions is not None:
        raise ValueError(
            "--confusions counts one centre view by one checkpoint: leave out --crops, --out and more checkpoints"
        )
    return _voting(args, members, images, data)


def _single(args: argparse.Namespace, classifier: Classifier, images: LabelledImages, data: Path) -> int:
    tally, out = Tally(classifier.checkpoint.spec.classes), None
    if args.confusions is not None:
        named = (args.checkpoint or [BUNDLED])[0]
        out = confusions_path(named) if args.confusions == BESIDE else args.confusions
        require_place(out)
    meters = {head: ReliabilityMeter(classifier.temperatures.get(head, 1.0)) for head in classifier.heads}

    def visit(heads: Heads, labels: Tensor) -> None:
        for head, meter in meters.items():
            meter.add(heads.of(head), labels)
            if out is not None:
                tally(head, heads.of(head), labels)

    started = time.perf_counter()
    with tqdm(total=len(images), unit="img", desc="evaluate", dynamic_ncols=True) as bar:
        result = evaluate_network(
            classifier.network,
            images,
            classifier.preprocessing,
            batch=args.batch or BATCH,
            progress=lambda seen, _: bar.update(seen - bar.n),
            visit=visit,
        )
    seconds = time.perf_counter() - started
    measured = {head: meter.result() for head, meter in meters.items()}
    counted = None
    if out is not None:
        trained = {head: tally.heads[head] for head in classifier.trained_heads}
        counted = Confusions(classifier.checkpoint.sha256, trained, args.split, data.resolve().name)
        save_confusions(counted, out)
    rows = {
        head: {
            "trained": head in classifier.trained_heads,
            **asdict(accuracy),
            "calibration_error": measured[head].error,
            "nll": measured[head].nll,
        }
        for head, accuracy in result.items()
    }
    if args.json:
        more = {} if counted is None else {"confusions": str(out)}
        print_json({**describe(classifier), "images": len(images), "heads": rows, "seconds": round(seconds, 1), **more})
        return 0
    print(f"{len(images)} images, single centre view, {seconds:.0f} s")
    for head, row in rows.items():
        note = "" if row["trained"] else "  (never trained in this checkpoint)"
        print(
            f"  {head:5s} top-1 {row['top1']:.2%}  top-5 {row['top5']:.2%}  "
            f"calibration error {row['calibration_error']:.2%}{note}"
        )
    if counted is not None:
        print("\n".join(["", *markdown(counted, classifier.checkpoint), "", f"written: {out}"]))
    return 0


def _voting(args: argparse.Namespace, members: list[Classifier], images: LabelledImages, data: Path) -> int:
    with tqdm(total=len(images), unit="img", desc="evaluate", dynamic_ncols=True) as bar:

        def progress(seen: int, _: int) -> None:
            if bar.n == 0 and seen:  # gone on with: what was there took no time now
                bar.initial = seen
            bar.update(seen - bar.n)

        found = crop_accuracy(
            members, images, data_hash(images, data), args.crops or 1, batch=args.batch, file=args.out,
            progress=progress,
        )  # fmt: skip
    classes = members[0].checkpoint.spec.classes
    seen = len(set(images.labels.tolist()))
    if args.json:
        print_json(_json(found, members, classes, seen))
        return 0
    print(f"{found.done} images of {seen} of {classes} classes, {found.seconds:.0f} s")
    for member in members:
        print(f"  {member.checkpoint.name}  {member.checkpoint.sha256[:12]}")
    print("\n".join(["", *table(found, members[0].preprocessing.size)]))
    if found.small:
        side = members[0].preprocessing.size
        print(
            f"{found.small} of {found.done} images have a shorter side below {side} pixels: their crops are enlarged."
        )
    if args.out is not None:
        print(f"saved: {args.out}")
    return 0


def _json(found: CropAccuracy, members: list[Classifier], classes: int, seen: int) -> dict[str, Any]:
    return {
        "checkpoints": [describe(member) for member in members],
        "images": found.done,
        "classes": classes,
        "classes_with_images": seen,
        "smaller_than_a_crop": found.small,
        "rows": [row_json(row) for row in found.rows()],
        "paper": [asdict(row) | {"cost": row.cost} for row in paper_rows()],
        "seconds": round(found.seconds, 1),
    }
