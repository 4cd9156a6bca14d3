"""The option that names checks of a map: for those commands that load what explains anyway."""

from __future__ import annotations

import argparse

from ..trust.checks import CHECKS, named_checks
from ..trust.spread import SEEDS


def check_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """--check NAME, repeatable: how far to test a map."""
    parser.add_argument(
        "--check", action="append", default=[], metavar="NAME",
        help=f"how far can the map be believed: all, or one of: {', '.join(CHECKS)}; may be repeated; chance enters "
        f"with {len(SEEDS)} seeds (default: {default})",
    )  # fmt: skip


def checks_from(args: argparse.Namespace, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of the asked-for checks; raises KeyError that lists the allowed ones."""
    return named_checks(args.check) or default
