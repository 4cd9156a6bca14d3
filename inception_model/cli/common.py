"""Options and output that several commands share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..analysis.ablation import DEFAULT_FILL, FILLS, Fill
from ..analysis.quadrature import LIMIT, ROW_ERROR, STEPS
from ..checkpoints.checkpoint import BUNDLED
from ..inference.classifier import DEFAULT_DEVICE, DEFAULT_PRECISION, DEVICES, DTYPES, Classifier, build
from ..training.evaluation import BATCH
from ..trust.checks import CHECKS, find_check
from ..trust.spread import SEEDS


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """--checkpoint, --device, --precision."""
    parser.add_argument(
        "--checkpoint", default=BUNDLED, metavar="NAME|PATH", help="a name of `checkpoints list`, or a file"
    )
    parser.add_argument("--device", default=DEFAULT_DEVICE, choices=DEVICES)
    parser.add_argument("--precision", default=DEFAULT_PRECISION, choices=tuple(DTYPES))


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def check_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """--check NAME, repeatable: how far to test a map."""
    parser.add_argument(
        "--check", action="append", default=[], metavar="NAME",
        help=f"how far can the map be believed: all, or one of: {', '.join(CHECKS)}; may be repeated; chance enters "
        f"with {len(SEEDS)} seeds (default: {default})",
    )  # fmt: skip


def checks_from(args: argparse.Namespace, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of the asked-for checks; raises KeyError that lists the allowed ones."""
    if "all" in args.check:
        return tuple(CHECKS)
    for name in args.check:
        find_check(name)
    return tuple(dict.fromkeys(args.check)) or default


def finish(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """What most commands end with: the options of the network, --json, and what the command runs."""
    add_network_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)


def add_split_option(parser: argparse.ArgumentParser) -> None:
    """--split."""
    parser.add_argument("--split", default="validation", choices=("validation", "train"))


def add_batch_option(parser: argparse.ArgumentParser) -> None:
    """--batch."""
    parser.add_argument("--batch", type=int, default=BATCH)


def add_top_option(parser: argparse.ArgumentParser) -> None:
    """--top."""
    parser.add_argument("--top", type=int, default=5, help="classes per head (default 5)")


def add_fill_option(parser: argparse.ArgumentParser, former: Mapping[str, Fill]) -> None:
    """--fill: what is switched off is set to; always a name of today afterwards, also where a `former` one is given."""
    known = [f"{name}: {kind.of_channels()}" for name, kind in FILLS.items()]
    known += [f"{name}: the former name of {fill}" for name, fill in former.items()]
    parser.add_argument(
        "--fill",
        default=DEFAULT_FILL,
        type=lambda text: former.get(text, text),
        choices=tuple(FILLS),
        help=f"what switched-off channels are set to; {'; '.join(known)}",
    )


def add_path_options(parser: argparse.ArgumentParser) -> None:
    """--steps, --error, --limit: how the path of the credit ledger is cut."""
    parser.add_argument(
        "--steps", type=int, default=STEPS, help=f"intervals of the ledger's path to begin with (default {STEPS})"
    )
    parser.add_argument(
        "--error",
        type=float,
        default=ROW_ERROR,
        metavar="PERCENT",
        help=f"intervals are halved until every row's residual is below this (default {ROW_ERROR:g})",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=LIMIT,
        help=f"most gradients for that; 0: the steps stay as they are (default {LIMIT})",
    )


def require_positive(args: argparse.Namespace, *options: str) -> None:
    """Raises ValueError for the first of these options that is given and below 1."""
    for option in options:
        value = getattr(args, option)
        if value is not None and value < 1:
            raise ValueError(f"--{option.replace('_', '-')} must be at least 1; got {value}")


def classifier_from(args: argparse.Namespace) -> Classifier:
    """The classifier that the options ask for."""
    from ..checkpoints.store import load

    return build(load(args.checkpoint), args.device, args.precision)


def describe(classifier: Classifier) -> dict[str, Any]:
    """The first keys of every JSON answer."""
    return {
        "checkpoint": classifier.checkpoint.name,
        "sha256": classifier.checkpoint.sha256,
        "device": str(classifier.device),
        "precision": classifier.precision,
    }


def print_json(value: Any) -> None:
    """Indented JSON on stdout."""
    print(json.dumps(value, indent=2, default=str))


def image_argument(parser: argparse.ArgumentParser) -> None:
    """One positional IMAGE."""
    parser.add_argument("image", type=Path, metavar="IMAGE")
