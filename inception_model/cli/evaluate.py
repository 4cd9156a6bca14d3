"""`evaluate`: top-1 and top-5 accuracy of every head on labelled images."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..training.data import open_dataset
from ..training.evaluation import evaluate_network
from .common import add_batch_option, add_split_option, classifier_from, describe, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("evaluate", help="accuracy of every head on labelled images")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Parquet shards or ImageFolder")
    add_split_option(parser)
    parser.add_argument("--limit", type=int, help="only N images, evenly spread over the data")
    add_batch_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints a row per head (single centre view), or JSON."""
    require_positive(args, "batch", "limit")
    classifier = classifier_from(args)
    images = open_dataset(args.data, args.split, classifier.checkpoint.labels).spread(args.limit)
    started = time.perf_counter()
    with tqdm(total=len(images), unit="img", desc="evaluate", dynamic_ncols=True) as bar:
        result = evaluate_network(
            classifier.network,
            images,
            classifier.preprocessing,
            batch=args.batch,
            progress=lambda seen, _: bar.update(seen - bar.n),
        )
    seconds = time.perf_counter() - started
    rows = {
        head: {"trained": head in classifier.trained_heads, **asdict(accuracy)} for head, accuracy in result.items()
    }
    if args.json:
        print_json({**describe(classifier), "images": len(images), "heads": rows, "seconds": round(seconds, 1)})
        return 0
    print(f"{len(images)} images, single centre view, {seconds:.0f} s")
    for head, row in rows.items():
        note = "" if row["trained"] else "  (never trained in this checkpoint)"
        print(f"  {head:5s} top-1 {row['top1']:.2%}  top-5 {row['top5']:.2%}{note}")
    return 0
