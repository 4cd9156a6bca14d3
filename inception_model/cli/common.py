"""Options and output that several commands share. Nothing here loads what explains: most commands do without."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..analysis.ablation import DEFAULT_FILL, FILLS
from ..analysis.ood_file import Known, known_path, load_known
from ..analysis.prediction import TOP
from ..analysis.quadrature import LIMIT, ROW_ERROR, STEPS
from ..checkpoints.checkpoint import BUNDLED, Checkpoint, CheckpointError
from ..images.decode import WORKING_SIDE, Photo
from ..images.geometry import LEAST_SQUARE
from ..inference.classifier import DEFAULT_DEVICE, DEFAULT_PRECISION, DEVICES, DTYPES, Classifier, build
from ..training.evaluation import BATCH
from ..training.recipe import HELD_OUT


def add_network_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """--checkpoint, --device, --precision. `several`: --checkpoint may be repeated and is a list, or None."""
    named = "a name of `checkpoints list`, or a file"
    if several:
        parser.add_argument(
            "--checkpoint", action="append", metavar="NAME|PATH", help=f"{named}; repeated: an ensemble of them"
        )
    else:
        parser.add_argument("--checkpoint", default=BUNDLED, metavar="NAME|PATH", help=named)
    parser.add_argument("--device", default=DEFAULT_DEVICE, choices=DEVICES)
    parser.add_argument("--precision", default=DEFAULT_PRECISION, choices=tuple(DTYPES))


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def add_raw_option(parser: argparse.ArgumentParser) -> None:
    """--raw."""
    parser.add_argument(
        "--raw", action="store_true",
        help="plain softmax instead of probabilities at the temperatures that the checkpoint carries",
    )  # fmt: skip


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


def add_holdout_option(parser: argparse.ArgumentParser, what: str, otherwise: str) -> None:
    """--holdout: the training images that `what` is done with, or 0, and then `otherwise`."""
    parser.add_argument(
        "--holdout", type=int, default=HELD_OUT, metavar="N",
        help=f"the last training images of each class, N in all, {what}: those that `train --holdout` left out, which "
        f"are new to the network (default %(default)s); 0, for a network that saw all of them: {otherwise}",
    )  # fmt: skip


def add_top_option(parser: argparse.ArgumentParser) -> None:
    """--top."""
    parser.add_argument("--top", type=int, default=TOP, help=f"classes per head (default {TOP})")


def add_fill_option(parser: argparse.ArgumentParser) -> None:
    """--fill: what is switched off is set to."""
    known = [f"{name}: {kind.of_channels()}" for name, kind in FILLS.items()]
    parser.add_argument(
        "--fill",
        default=DEFAULT_FILL,
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


def require_positive(args: argparse.Namespace, *options: str, least: int = 1) -> None:
    """Raises ValueError for the first of these options that is given and below 1 (or `least`)."""
    for option in options:
        value = getattr(args, option, None)
        if value is not None and value < least:
            raise ValueError(f"--{option.replace('_', '-')} must be at least {least}; got {value}")


def classifier_from(args: argparse.Namespace) -> Classifier:
    """The classifier that the options ask for; with --raw, where the command has it, one without temperatures."""
    from ..checkpoints.store import load

    found = build(told(load(args.checkpoint)), args.device, args.precision)
    return found.raw() if getattr(args, "raw", False) else found


def told(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint; if heads that were fitted on it can't be used, stderr has said why."""
    if checkpoint.fitted_refused:
        print(f"note: {checkpoint.fitted_refused}. Those heads give no predictions.", file=sys.stderr)
    return checkpoint


def known_from(args: argparse.Namespace, classifier: Classifier) -> Known | None:
    """What the checkpoint's classes look like to it, where a file beside it says so.

    A wrong file, or one of other weights, is told on stderr; the answers are as good as without it.
    """
    path = known_path(args.checkpoint)
    try:
        return load_known(path, classifier.checkpoint) if path.is_file() else None
    except CheckpointError as error:
        print(f"note: {error}. Photos unlike the classes are not told.", file=sys.stderr)
        return None


def classifiers_from(args: argparse.Namespace) -> list[Classifier]:
    """The classifiers that a repeated --checkpoint asks for; without one, the bundled."""
    from ..checkpoints.store import load

    found = [build(told(load(name)), args.device, args.precision) for name in args.checkpoint or [BUNDLED]]
    return [each.raw() for each in found] if getattr(args, "raw", False) else found


def print_json(value: Any) -> None:
    """Indented JSON on stdout."""
    print(json.dumps(value, indent=2, default=str))


def square_argument(parser: argparse.ArgumentParser) -> None:
    """--square."""
    parser.add_argument(
        "--square", metavar="X,Y,SIDE",
        help="what the network is shown instead of the centre: left, top and side in pixels of the upright photo (of "
        f"one longer than {WORKING_SIDE} pixels, as shrunk to that), side at least {LEAST_SQUARE}",
    )  # fmt: skip


def aimed(photo: Photo, args: argparse.Namespace) -> Photo:
    """The photo with the square of --square; raises ValueError where that is none or lies outside."""
    try:
        return photo.with_square(args.square)
    except ValueError as error:
        raise ValueError(f"--square for {photo.name}: {error}") from None


def image_argument(parser: argparse.ArgumentParser) -> None:
    """One positional IMAGE."""
    parser.add_argument("image", type=Path, metavar="IMAGE")
