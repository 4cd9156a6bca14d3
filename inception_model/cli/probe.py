"""`probe`: a linear classifier on every module's pooled output, and what it gets right."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..analysis.probes import Features, collect_features, probes_path, save_probes, train_probes
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..training.data import LabelledImages, open_dataset
from ..training.holdout import hold_out
from .common import add_batch_option, add_holdout_option, classifier_from, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("probe", help="train a linear probe at every module and measure it")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Parquet shards or ImageFolder")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="NAME.probes.safetensors")
    add_holdout_option(parser, "choose the weight decay", "a tenth of the training images does")
    parser.add_argument(
        "--limit-per-class", type=int, metavar="N",
        help="only the first N training images of a class to learn from; what is held out stays whole",
    )  # fmt: skip
    parser.add_argument("--val-limit", type=int, metavar="N", help="only N validation images, evenly spread")
    add_batch_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the probes and prints a row per module, or JSON."""
    require_positive(args, "batch", "limit_per_class", "val_limit")
    require_positive(args, "holdout", least=0)
    classifier = classifier_from(args)
    classes = classifier.checkpoint.labels
    images, held_out = hold_out(open_dataset(args.data, "train", classes), args.holdout)
    images = images.first_of_each(args.limit_per_class)
    validation = open_dataset(args.data, "validation", classes).spread(args.val_limit)
    features = _collect(classifier, images, "training images", args.batch)
    choosing = None if held_out is None else _collect(classifier, held_out, "held-out images", args.batch)
    measured = _collect(classifier, validation, "validation images", args.batch)
    source = f"logistic regression on channel averages, {args.data.name}, torch {torch.__version__}"
    source += "" if held_out is None else f", weight decay chosen on {len(held_out)} held-out training images"
    with tqdm(total=len(features.values), unit="probe", desc="probes", dynamic_ncols=True) as bar:
        probes = train_probes(classifier, features, measured, source, lambda n, _: bar.update(n - bar.n), choosing)
    save_probes(probes, args.out)
    rows = {name: {**asdict(probe.accuracy), "decay": probe.decay} for name, probe in probes.modules.items()}
    if args.json:
        counts = {"training": probes.training, "validation": probes.validation}
        print_json({**describe(classifier), "out": args.out, "images": counts, "modules": rows})
        return 0
    print(f"{probes.training} training images, {probes.validation} validation images, single centre view")
    for name, row in rows.items():
        print(f"  {name}  top-1 {row['top1']:.2%}  top-5 {row['top5']:.2%}  weight decay {row['decay']:g}")
    print(f"written: {args.out} ({args.out.stat().st_size / 1e6:.1f} MB); the app looks for {_wanted(args)}")
    return 0


def _collect(classifier: Classifier, images: LabelledImages, words: str, batch: int) -> Features:
    with tqdm(total=len(images), unit="img", desc=words, dynamic_ncols=True) as bar:
        return collect_features(classifier, images, batch=batch, progress=lambda seen, _: bar.update(seen - bar.n))


def _wanted(args: argparse.Namespace) -> str:
    return f"{probes_path(args.checkpoint).name} beside the checkpoint's file"
