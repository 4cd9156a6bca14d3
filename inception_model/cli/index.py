"""`index`: what every channel answers most in a data set, how strong answers are there, and where each image lies."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..examples.building import DEFAULT_ENGINE, ENGINES, Data, Engine, build_index
from ..examples.channels import channels_of
from ..examples.compact import save_compact
from ..examples.folder import IndexFolder, Summary
from ..examples.index import load_index
from ..examples.mapping import DEFAULT_MAP, MAPS, place_images
from ..examples.ray_engine import WORKERS, Task, ray_engine
from ..examples.shards import KEPT
from ..inference.plain import describe
from .common import add_split_option, classifier_from, finish, print_json, require_positive

TOLD = 5
"""Broken images that are named; the summary in the folder names all."""


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("index", help="find what every channel answers most in a data set")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made, or gone on with")
    parser.add_argument("--limit", type=int, metavar="N", help="only N images, evenly spread over the data")
    add_split_option(parser)
    parser.add_argument(
        "--engine", default=DEFAULT_ENGINE, choices=ENGINES,
        help="who looks at the images: this process, or workers of Ray Data (an extra; RAY_ADDRESS names a cluster)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N", help=f"of ray (default {WORKERS})")
    parser.add_argument(
        "--map", default=DEFAULT_MAP, choices=MAPS,
        help="how images are placed in two dimensions by the last module's features; umap is an extra",
    )  # fmt: skip
    parser.add_argument(
        "--compact",
        type=Path,
        metavar="FILE",
        help="also ids, positions and numbers alone, to lie beside weights",
    )
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Looks at what is missing in FOLDER, writes its tables and prints what it holds, or JSON."""
    require_positive(args, "limit", "workers")
    classifier = classifier_from(args)
    data = Data(args.data, args.split, args.limit)
    with tqdm(total=None, unit="img", desc="index", dynamic_ncols=True) as bar:

        def progress(seen: int, total: int) -> None:
            if bar.total is None:
                bar.total, bar.initial = total, seen  # what an earlier run has done says nothing about this one's pace
            bar.update(seen - bar.n)

        folder = build_index(classifier, data, args.out, engine=engine_of(args, data), progress=progress)
    summary = place_images(folder, args.map)
    if args.compact is not None:
        save_compact(load_index(args.out, classifier.checkpoint), args.compact)
    if args.json:
        broken = [{"name": name, "error": error} for name, error in summary.broken]
        told = {"out": args.out, "images": summary.used, "broken": broken, "map": summary.map}
        print_json({**describe(classifier), **told, "channels": channels_of(classifier.checkpoint.spec).total})
        return 0
    print("\n".join(words(folder, summary, channels_of(classifier.checkpoint.spec).total)))
    if args.compact is not None:
        print(f"written: {args.compact} ({args.compact.stat().st_size / 1e6:.2f} MB)")
    return 0


def words(folder: IndexFolder, summary: Summary, channels: int) -> list[str]:
    """What the folder holds, and what could not be read."""
    lines = [
        f"{summary.used:,} images, {channels:,} channels, the {KEPT} strongest images of each by activation and by "
        f"relevance: {folder.folder}"
    ]
    if summary.broken:
        lines.append(f"{len(summary.broken)} images could not be decoded and were skipped:")
        lines += [f"  {error}" if name in error else f"  {name}: {error}" for name, error in summary.broken[:TOLD]]
        if len(summary.broken) > TOLD:
            lines.append(f"  ... all of them are named in {folder.folder / 'summary.json'}")
    return lines


def engine_of(args: argparse.Namespace, data: Data) -> Engine | None:
    """Ray's workers where they are asked for; None: this process."""
    if args.engine == DEFAULT_ENGINE:
        return None
    task = Task(str(args.checkpoint), args.device, args.precision, data)
    return ray_engine(task, args.workers)
