"""`predict`: the three heads' top classes of one or more images."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..analysis.ood import heads_and_features
from ..analysis.ood_file import Known
from ..analysis.prediction import prediction
from ..images.decode import Photo, open_photo
from ..images.geometry import square_text
from ..inference.classifier import Classifier
from ..inference.plain import describe
from .common import (
    add_raw_option,
    add_top_option,
    aimed,
    classifier_from,
    finish,
    known_from,
    print_json,
    require_positive,
    square_argument,
)


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("predict", help="what the three heads say about images")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    add_top_option(parser)
    square_argument(parser)
    add_raw_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints a table per image, or JSON."""
    require_positive(args, "top")
    classifier = classifier_from(args)
    known = known_from(args, classifier)
    images = [_predict(classifier, aimed(open_photo(path), args), path, args.top, known) for path in args.images]
    if args.json:
        print_json({**describe(classifier), "images": images})
    else:
        for image in images:
            _print(image)
    return 0


def _predict(classifier: Classifier, photo: Photo, path: Path, count: int, known: Known | None) -> dict[str, Any]:
    started = time.perf_counter()
    heads, features = heads_and_features(classifier, classifier.prepare(photo.image, photo.square))
    seconds = time.perf_counter() - started
    found = prediction(classifier, heads, features, count, known)
    square = None if photo.square is None else square_text(photo.square)
    return {"path": str(path), "square": square, **found, "seconds": round(seconds, 4)}


def _print(image: dict[str, Any]) -> None:
    where = f", square {image['square']}" if image["square"] else ""
    print(f"{image['path']}{where}  ({image['seconds'] * 1000:.0f} ms)")
    if image["doubt"] and image["doubt"]["sentence"]:
        print(f"  {image['doubt']['sentence']}")
    for head, answer in image["heads"].items():
        if not answer["trained"]:
            print(f"  {head}: never trained in this checkpoint, so it says nothing")
            continue
        for rank, row in enumerate(answer["top"]):
            name = head if rank == 0 else ""
            print(f"  {name:5s} {row['probability']:7.1%}  {row['label']}  ({row['wnid']}, logit {row['logit']:+.2f})")
