"""`visualize`: pictures of what units look for."""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ..architecture.spec import DEFAULT_HEAD, HEADS
from ..images.decode import open_photo
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..inference.targets import Target
from ..report.saving import ReportError, require_place
from ..visualization.objectives import Objective, channel, class_logit, difference, direction, negative
from ..visualization.places import Place, UnitError
from ..visualization.result import Visualization
from ..visualization.settings import DREAM_STEPS, MOST_PICTURES, SIZE, STEPS, Settings
from ..visualization.visualizing import visualize
from ..whole_file import whole
from .common import classifier_from, finish, print_json


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("visualize", help="make pictures of what channels, neurons or classes look for")
    parser.add_argument(
        "units", nargs="*", metavar="UNIT",
        help="4d:5x5:17 (module, branch or reduction, channel) or conv2:9; several make one row each",
    )  # fmt: skip
    parser.add_argument("--neuron", metavar="Y,X", help="only at this row and column of the map")
    parser.add_argument(
        "--direction", metavar="C=W,C=W", help="of a unit without channel (4d:5x5): a weighted sum of its channels"
    )
    parser.add_argument("--minus", metavar="UNIT", help="the difference: what this channel looks for is lowered")
    parser.add_argument("--class", dest="target", metavar="CLASS", help="a class, or a contrast of two such as 3-7")
    parser.add_argument("--head", default=DEFAULT_HEAD, choices=HEADS, help="where the class is read")
    parser.add_argument("--negative", action="store_true", help="what the unit is most against")
    parser.add_argument("--steps", type=int, help=f"default {STEPS}, from a photo {DREAM_STEPS}")
    parser.add_argument(
        "--size", type=int, help=f"side in pixels (default {SIZE}; of a class and from a photo the network's own)"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed, help="same seed, same picture")
    parser.add_argument(
        "--diversity", type=int, default=Settings.pictures, metavar="N",
        help=f"N different pictures of each unit, at most {MOST_PICTURES}",
    )  # fmt: skip
    parser.add_argument("--maco", action="store_true", help="change phases alone (Fel et al. 2023)")
    parser.add_argument("--from", dest="start", type=Path, metavar="PHOTO", help="start from a photo: deep dream")
    parser.add_argument(
        "--photo", action="append", type=Path, default=[], metavar="PHOTO",
        help="compare with these photos instead of the shipped samples; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="a row of pictures per unit")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the pictures and prints how strong they are, or JSON."""
    if args.out.suffix.lower() != ".png":
        raise ValueError(f"--out takes a file that ends in .png; got {args.out}")
    steps = (DREAM_STEPS if args.start else STEPS) if args.steps is None else args.steps
    settings = Settings(steps, args.size, args.seed, args.diversity, args.maco)
    start = open_photo(args.start).image if args.start else None
    photos = [open_photo(path) for path in args.photo] or None
    classifier = classifier_from(args)
    objectives = asked(classifier, args)
    with _told_of(args.out):
        args.out.parent.mkdir(parents=True, exist_ok=True)
    require_place(args.out)
    with tqdm(unit="step", desc="pictures", dynamic_ncols=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = visualize(classifier, objectives, settings, start=start, photos=photos, progress=progress)
    with _told_of(args.out), whole(args.out) as part:
        sheet(found).save(part, "PNG")
    if args.json:
        print_json({**describe(classifier), "out": args.out, "units": [each.as_dict() for each in found]})
        return 0
    for each in found:
        print(f"{each.objective.name}: {each.words()}" + ("; the picture stayed grey" if each.grey else ""))
    print(f"written: {args.out}")
    return 0


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Errors of the disk as ReportError, in a sentence with the file's name."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"{path} can't be written: {error.strerror or error}. Nothing was changed.") from None


def asked(classifier: Classifier, args: argparse.Namespace) -> list[Objective]:
    """The objectives that the options name; raises UnitError or TargetError on what is not there."""
    spec = classifier.checkpoint.spec
    if args.target is None and not args.units:
        raise UnitError("name a unit such as 4d:5x5:17, or a class with --class")
    if args.target is not None and (args.units or args.neuron or args.direction or args.minus):
        raise UnitError("--class stands alone: units, --neuron, --direction and --minus belong to channels")
    if args.target is not None:
        nothing = torch.zeros(spec.classes)
        if args.target.strip().lower() == "auto":
            raise UnitError("--class needs a class: there is no photo whose best class could be meant")
        target = Target.parse(args.target, classifier.checkpoint.labels, nothing)
        found = [class_logit(spec, _trained(classifier, args.head), target)]
    elif args.direction is not None:
        if args.neuron:
            raise UnitError("--direction and --neuron exclude each other")
        found = [direction(spec, Place.parse(unit, spec), _weights(args.direction)) for unit in args.units]
    else:
        position = _position(args.neuron)
        found = [channel(spec, unit, position) for unit in args.units]
    if args.minus is not None:
        found = [difference(each, channel(spec, args.minus)) for each in found]
    return [negative(each) for each in found] if args.negative else found


def sheet(found: list[Visualization]) -> Image.Image:
    """One row per objective, its pictures side by side; smaller ones stand at the left on grey."""
    rows = [np.asarray(each.image) for each in found]
    wide = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, wide - row.shape[1]), (0, 0)), constant_values=128) for row in rows]
    return Image.fromarray(np.concatenate(padded))


def _trained(classifier: Classifier, head: str) -> str:
    from ..attribution.explaining import trained_head

    return trained_head(classifier, head)


def _position(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    row, comma, column = text.partition(",")
    if not comma or not row.strip().isdecimal() or not column.strip().isdecimal():
        raise UnitError(f"--neuron takes a row and a column such as 7,7; got {text!r}")
    return int(row), int(column)


def _weights(text: str) -> dict[int, float]:
    found = {}
    for part in text.split(","):
        number, sign, weight = part.partition("=")
        try:
            if not sign or not number.strip().isdecimal():
                raise ValueError
            found[int(number)] = float(weight)
            if not math.isfinite(found[int(number)]):
                raise ValueError
        except ValueError:
            raise UnitError(f"--direction takes channels with weights such as 3=1,17=-0.5; got {part!r}") from None
    return found
