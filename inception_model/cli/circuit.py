"""`circuit`: what a channel reads and what reads it, as effective kernels."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..architecture.address import parse_unit
from ..checkpoints.checkpoint import Checkpoint
from ..circuits.connections import CONNECTIONS, Connection, circuit
from ..circuits.pictures import name_of, sheet
from ..inference.plain import describe
from .common import classifier_from, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("circuit", help="what a channel reads and what reads it, as kernels")
    parser.add_argument("unit", metavar="UNIT", help="4d:5x5:17 (module, branch or reduction, channel) or conv2:9")
    parser.add_argument(
        "--count", type=int, default=CONNECTIONS, help=f"connections of each side, strongest first ({CONNECTIONS})"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="a sheet of the kernels: red for, blue against")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints the strongest connections, or JSON with the kernels."""
    require_positive(args, "count")
    if args.out is not None and args.out.suffix.lower() != ".png":
        raise ValueError(f"--out takes a file that ends in .png; got {args.out}")
    classifier = classifier_from(args)
    checkpoint = classifier.checkpoint
    found = circuit(classifier, parse_unit(args.unit, checkpoint.spec))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        sheet(checkpoint, found, args.count).save(args.out)
    if args.json:
        print_json({**describe(classifier), "out": args.out, **found.as_dict(args.count)})
        return 0
    print(f"{name_of(checkpoint, found.unit)}: {found.between}")
    for title, side in (("reads", found.reads), ("read by", found.read_by)):
        print(f"{title} ({len(side)} in all, the strongest first)")
        print("\n".join(_lines(checkpoint, side[: args.count])))
    if args.out is not None:
        print(f"written: {args.out}")
    return 0


def _lines(checkpoint: Checkpoint, side: Iterable[Connection]) -> Iterable[str]:
    for each in side:
        size, way = each.kernel.shape[-1], "for" if each.total > 0 else "against"
        name = f"{each.unit!s:20s} {name_of(checkpoint, each.unit):24s}"
        yield f"  {name} {size}x{size}  norm {each.strength:.4f}  sum {each.total:+.4f}  {way}"
