"""`inspect`: every branch of every module on one image, as arrays in an .npz file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..images.decode import open_photo
from ..inference.plain import describe, inspection, trace_arrays
from ..inference.trace import capture
from .common import aimed, classifier_from, finish, image_argument, print_json, square_argument


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("inspect", help="save every branch of every module as arrays")
    image_argument(parser)
    square_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the arrays and prints shape, mean, max and share of zeros of each."""
    if args.out.suffix != ".npz":
        raise ValueError(f"--out must name an .npz file; got {args.out}")
    classifier = classifier_from(args)
    photo = aimed(open_photo(args.image), args)
    arrays = trace_arrays(capture(classifier, classifier.prepare(photo.image, photo.square)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)  # type: ignore[arg-type]
    found = inspection(classifier, arrays)
    if args.json:
        answer = {**describe(classifier), "path": str(args.image), "square": args.square, "out": str(args.out)}
        print_json({**answer, **found})
        return 0
    print(f"{'array':16s} {'shape':>14s} {'mean':>9s} {'max':>9s} {'zeros':>7s}")
    for name, row in found["arrays"].items():
        shape = "x".join(map(str, row["shape"]))
        print(f"{name:16s} {shape:>14s} {row['mean']:9.4f} {row['max']:9.4f} {row['zeros']:7.1%}")
    if found["untrained_heads"]:
        print(f"{', '.join(found['untrained_heads'])}: never trained in this checkpoint; the logits are no predictions")
    print(f"{len(arrays)} arrays{f' of the square {args.square}' if args.square else ''} written to {args.out}")
    return 0
