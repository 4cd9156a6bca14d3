"""`specialisation`: which branch holds which family of channels, and what the first two convolutions go by."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..architecture.spec import BRANCHES
from ..circuits.factors import first_factors
from ..circuits.families import FAMILIES, Families, FamilyRow, families, rows_of
from ..circuits.verdict import count_tests, row_dict, summary
from ..drawing.palette import BRANCH_NAMES
from ..examples.families import EXAMPLE_FAMILIES, with_examples
from ..examples.index import load_index
from ..inference.plain import describe
from .common import classifier_from, finish, print_json


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser(
        "specialisation",
        help="which branch holds which family of channels (Voss et al. 2021)",
        epilog="families: " + "; ".join(f"{name}: {words}" for name, words in (FAMILIES | EXAMPLE_FAMILIES).items()),
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="3a, 4d, ... (default: all)")
    parser.add_argument(
        "--index",
        type=Path,
        metavar="FOLDER",
        help="an index of this checkpoint, whose images tell one more family",
    )
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints a table per module and plain sentences, or JSON."""
    classifier = classifier_from(args)
    spec = classifier.network.spec
    index = None if args.index is None else load_index(args.index, classifier.checkpoint)
    with tqdm(unit="picture", desc="pictures", dynamic_ncols=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        wanted = [name for name in spec.module_names if name in args.modules]
        for name in args.modules:
            spec.block(name)
        found = families(classifier, wanted or None, progress=progress)
    if index is not None:
        found = {name: with_examples(each, index, classifier.checkpoint.labels) for name, each in found.items()}
    rows, factors = rows_of(classifier, found), first_factors(classifier)
    told = summary(rows, factors)
    if args.json:
        tests = count_tests(rows)
        print_json(
            {
                **describe(classifier),
                "tests": tests,
                "rows": [row_dict(row, tests) for row in rows],
                "not_selective": {
                    name: [int(c) for c in each.not_selective.nonzero()[0]] for name, each in found.items()
                },
                "silent": {name: [int(c) for c in each.silent.nonzero()[0]] for name, each in found.items()},
                "factors": [factor.as_dict() for factor in factors.factors],
                "summary": told,
            }
        )
        return 0
    print("\n".join([*table(rows, found), "", *told]))
    return 0


def table(rows: Sequence[FamilyRow], found: Mapping[str, Families]) -> list[str]:
    """A line per family and module: found of expected, and the hypergeometric p, for each branch."""
    head = "".join(f"{BRANCH_NAMES[kind]:>24s}" for kind in BRANCHES)
    lines = [f"{'module':7s}{'family':17s}{'all':>4s}{head}   (found / expected, p)"]
    for row in rows:
        cells = "".join(
            f"{f'{row.counts[kind]} / {row.expected(kind):.1f}, {row.p[kind]:.1e}' if row.total else '-':>24s}"
            for kind in BRANCHES
        )
        lines.append(f"{row.module:7s}{row.family:17s}{row.total:>4d}{cells}")
    for name, each in found.items():
        lines.append(
            f"{name}: {int(each.silent.sum())} of {len(each.silent)} channels are silent, "
            f"{int(each.not_selective.sum())} not selective (plain grey gets more than any picture)"
        )
    return lines
