"""`ood`: what a checkpoint's classes look like to it, so that photos unlike them are told (out of distribution)."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..analysis.ood import FALSE_ALARMS, FOLDS, SCORES, Observations, observe, observe_generated
from ..analysis.ood_file import Known, known_path, learn, save_known
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..report.saving import require_place
from ..training.data import LabelledImages, open_dataset
from ..training.holdout import hold_out
from .common import add_batch_option, add_holdout_option, classifier_from, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("ood", help="learn what the classes look like, to tell photos unlike them")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder, with both splits")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.ood.safetensors beside the checkpoint")
    add_holdout_option(parser, "choose score and threshold", "every other validation image does")
    parser.add_argument("--limit", type=int, metavar="N", help="only N of the other training images, evenly spread")
    parser.add_argument("--val-limit", type=int, metavar="N", help="only N validation images, evenly spread")
    add_batch_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the file and prints how well each score tells known from unknown, or JSON."""
    require_positive(args, "batch", "limit", "val_limit")
    require_positive(args, "holdout", least=0)
    out = args.out or known_path(args.checkpoint)
    require_place(out)
    classifier = classifier_from(args)
    classes = classifier.checkpoint.labels
    training, held_out = hold_out(open_dataset(args.data, "train", classes), args.holdout)
    training = training.spread(args.limit)
    validation = open_dataset(args.data, "validation", classes).spread(args.val_limit)
    seen = _observe(classifier, training, "training images", args.batch)
    choosing = None if held_out is None else _observe(classifier, held_out, "held-out images", args.batch)
    new = _observe(classifier, validation, "validation images", args.batch)
    source = f"{args.data.resolve().name}, torch {torch.__version__}"
    known = learn(classifier, seen, new, observe_generated(classifier, args.batch), source, choosing)
    save_known(known, out)
    if args.json:
        scores = {name: asdict(marks) for name, marks in known.marks.items()}
        counts = {"images": known.counts, "false_alarms": FALSE_ALARMS}
        print_json({**describe(classifier), "out": out, "kept": known.kept, "scores": scores, **counts})
        return 0
    print("\n".join([*table(known), f"written: {out} ({out.stat().st_size / 1e6:.2f} MB)"]))
    return 0


def table(known: Known) -> list[str]:
    """For people and for a model card: a row per score."""
    counts = known.counts
    choosing, new = ("held-out training", "validation") if known.held_out else ("validation", "other validation")
    return [
        f"Fitted on {counts['training']:,} training images. Threshold: {FALSE_ALARMS:.0%} of {counts['chosen_with']:,} "
        f"{choosing} images lie above. Everything below: on {counts['new']:,} {new} images (known) and "
        f"{counts['pictures']:,} generated pictures; held-out classes: {FOLDS} parts in turn.",
        "",
        "| score | AUROC, held-out classes | AUROC, generated pictures | generated pictures told | false alarms |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {score.words} ({score.paper}){', kept' if name == known.kept else ''} | {marks.classes:.3f} | "
            f"{marks.pictures:.3f} | {marks.caught:.1%} | {marks.alarms:.1%} |"
            for name, score in SCORES.items()
            for marks in [known.marks[name]]
        ),
        "",
    ]


def _observe(classifier: Classifier, images: LabelledImages, words: str, batch: int) -> Observations:
    with tqdm(total=len(images), unit="img", desc=words, dynamic_ncols=True) as bar:
        return observe(classifier, images, batch=batch, progress=lambda seen, _: bar.update(seen - bar.n))
