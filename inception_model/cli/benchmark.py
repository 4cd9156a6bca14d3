"""`benchmark`: how faithful are maps to the network? Insertion, deletion, ROAD, average drop over a data set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..architecture.spec import HEADS
from ..attribution import METHODS
from ..training.data import open_dataset
from ..trust.benchmark import CHEAP, Protocol, plan, run, tabulate
from ..trust.benchmark.running import DEFAULT_AIM
from ..trust.benchmark.table import to_json
from ..trust.benchmark.writing import TABLES, text, write_tables
from ..trust.measuring import AIMS
from .common import add_batch_option, add_split_option, classifier_from, finish, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("benchmark", help="how faithful are maps to the network?")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made, or gone on with")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["cheap"],
        choices=("all", "cheap", *METHODS),
        metavar="NAME",
        help=f"all, or cheap (default): {', '.join(CHEAP)}; or names, of {', '.join(METHODS)}",
    )
    parser.add_argument("--head", action="append", choices=HEADS, help="default: every trained head")
    parser.add_argument("--limit", type=int, help="only N images, evenly spread over the data")
    add_split_option(parser)
    parser.add_argument("--target", default=DEFAULT_AIM, choices=AIMS, help="class that the maps are for")
    parser.add_argument("--steps", type=int, default=Protocol.steps, help="of insertion and deletion (default 8)")
    parser.add_argument(
        "--removed",
        type=int,
        nargs="+",
        default=[round(100 * share) for share in Protocol.removed],
        metavar="PERCENT",
        help="pixels that ROAD removes (default 10 30 50 70 90)",
    )
    parser.add_argument("--noise", type=float, default=Protocol.noise, help="of ROAD's imputation (default 0.01)")
    parser.add_argument("--seed", type=int, default=0)
    add_batch_option(parser)
    finish(parser, run_command)


def run_command(args: argparse.Namespace) -> int:
    """Measures what is missing in FOLDER, writes the tables there and prints the means, or JSON."""
    require_positive(args, "batch", "limit", "steps")
    classifier = classifier_from(args)
    images = open_dataset(args.data, args.split, classifier.checkpoint.labels).spread(args.limit)
    named = {"all": tuple(METHODS), "cheap": CHEAP}
    methods = [method for name in args.methods for method in named.get(name, (name,))]
    protocol = Protocol(args.steps, tuple(percent / 100 for percent in args.removed), args.noise, args.seed)
    chosen = plan(classifier, methods, args.head or (), args.target, protocol)
    with tqdm(total=len(images), unit="img", desc="benchmark", dynamic_ncols=True) as bar:
        store = run(
            classifier,
            images,
            args.data,
            chosen,
            args.out,
            batch=args.batch,
            progress=lambda seen, _: bar.update(seen - bar.n),
        )
    table = tabulate(store.manifest, store.read())
    write_tables(table, args.out)
    if args.json:
        print(json.dumps(json.loads(to_json(table)), indent=2))
        return 0
    print("\n".join(text(table)))
    print(f"With intervals and curves: {', '.join(str(args.out / name) for name in TABLES)}")
    return 0
