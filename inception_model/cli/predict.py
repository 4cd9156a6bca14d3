"""`predict`: the three heads' top classes of one or more images."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..images.decode import open_photo
from ..inference.classifier import Classifier
from .common import add_top_option, classifier_from, describe, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("predict", help="what the three heads say about images")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    add_top_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints a table per image, or JSON."""
    require_positive(args, "top")
    classifier = classifier_from(args)
    images = [_predict(classifier, path, args.top) for path in args.images]
    if args.json:
        print_json({**describe(classifier), "images": images})
    else:
        for image in images:
            _print(image)
    return 0


def _predict(classifier: Classifier, path: Path, count: int) -> dict[str, Any]:
    photo = open_photo(path)
    started = time.perf_counter()
    heads = classifier.heads_of(classifier.prepare(photo.image))
    seconds = time.perf_counter() - started
    answers: dict[str, Any] = {}
    for name, logits in heads._asdict().items():
        if logits is None:
            continue
        trained = name in classifier.trained_heads
        # An untrained head's logits are noise: they are never listed as a prediction.
        top = classifier.top(logits[0], count) if trained else []
        answers[name] = {"trained": trained, "top": [asdict(a) for a in top]}
    return {"path": str(path), "heads": answers, "seconds": round(seconds, 4)}


def _print(image: dict[str, Any]) -> None:
    print(f"{image['path']}  ({image['seconds'] * 1000:.0f} ms)")
    for head, answer in image["heads"].items():
        if not answer["trained"]:
            print(f"  {head}: never trained in this checkpoint, so it says nothing")
            continue
        for rank, row in enumerate(answer["top"]):
            name = head if rank == 0 else ""
            print(f"  {name:5s} {row['probability']:7.1%}  {row['label']}  ({row['wnid']}, logit {row['logit']:+.2f})")
