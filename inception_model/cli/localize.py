"""`localize`: do maps point at the boxed object?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..architecture.spec import HEADS
from ..attribution import METHODS as ALL_METHODS
from ..training.data import open_dataset
from ..trust.localization import METHODS, Localization, localize, read_boxes
from .common import add_batch_option, add_split_option, classifier_from, describe, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("localize", help="do maps point at the boxed object?")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards with bbox, or ImageFolder with --boxes")
    parser.add_argument("--boxes", type=Path, metavar="CSV", help="path,x0,y0,x1,y1; paths from DATA")
    parser.add_argument(
        "--method", action="append", choices=tuple(ALL_METHODS), metavar="NAME", help=f"default: {', '.join(METHODS)}"
    )
    parser.add_argument("--head", action="append", choices=HEADS, help="default: every trained head")
    parser.add_argument("--limit", type=int, help="only N images, evenly spread over the data")
    add_split_option(parser)
    parser.add_argument("--target", default="true", choices=("true", "predicted"), help="class that the maps are for")
    add_batch_option(parser)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints a row per head and method, or Markdown, or JSON."""
    require_positive(args, "batch", "limit")
    classifier = classifier_from(args)
    images = open_dataset(args.data, args.split, classifier.checkpoint.labels)
    if args.boxes is not None:
        images = read_boxes(args.boxes, images, args.data)
    images = images.spread(args.limit)
    with tqdm(total=len(images), unit="img", desc="localize", dynamic_ncols=True) as bar:
        result = localize(
            classifier,
            images,
            args.method or METHODS,
            args.head or classifier.trained_heads,
            aim=args.target,
            batch=args.batch,
            progress=lambda seen, _: bar.update(seen - bar.n),
        )
    if args.json:
        print_json({**describe(classifier), **asdict(result)})
    else:
        print("\n".join(markdown(result) if args.markdown else text(result)))
    return 0


def _rows(result: Localization) -> list[tuple[str, str, str, str]]:
    rows = [(ALL_METHODS[r.method].label, r.head, f"{r.pointing:.1%}", f"{r.energy:.1%}") for r in result.rows]
    return [*rows, ("image centre / even map", "none", f"{result.centre:.1%}", f"{result.area:.1%}")]


def _title(result: Localization) -> str:
    left_out = f", {result.left_out} left out because their box is out of view" if result.left_out else ""
    return (
        f"{result.images} images of {result.classes} classes{left_out}; maps for the {result.aim} class; "
        f"a hit may miss the box by {result.tolerance:g} px; {result.seconds:.0f} s"
    )


def text(result: Localization) -> list[str]:
    """The table for a terminal."""
    head = ("method", "head", "pointing", "energy in box")
    return [_title(result), *(f"{a:26}{b:6}{c:>9}{d:>15}" for a, b, c, d in (head, *_rows(result))), *_notes(result)]


def markdown(result: Localization) -> list[str]:
    """The table for a model card."""
    rows = (("method", "head", "pointing game", "energy in the box"), ("---", "---", "---:", "---:"), *_rows(result))
    return [_title(result), "", *(f"| {' | '.join(row)} |" for row in rows), *_notes(result)]


def _notes(result: Localization) -> list[str]:
    empty = {f"{r.method} at {r.head}: {r.empty}" for r in result.rows if r.empty}
    return ["", f"Maps without any positive value count as energy 0 ({', '.join(sorted(empty))})."] if empty else []
