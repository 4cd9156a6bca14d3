"""`fool`: which disturbances turn the answers to a photo, and the smallest change of its pixels that does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.probes import Probes, load_probes, probes_path
from ..architecture.spec import DEFAULT_HEAD, HEADS
from ..attribution.explaining import trained_head
from ..drawing.numbers import number, percent, short
from ..images.decode import Photo, open_photo
from ..images.disturbances import DISTURBANCES, LEVELS, SEED
from ..images.geometry import square_text
from ..images.surroundings import Surroundings, surroundings
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..inference.targets import Target
from ..robustness.asking import AttackQuestion, Fooled, enlarged, fool, picture_of
from ..robustness.pgd import DEFAULT_NORM, NORMS, STEPS
from ..robustness.strengths import Strengths, ask_strengths
from .common import (
    add_raw_option,
    aimed,
    classifier_from,
    finish,
    image_argument,
    print_json,
    require_positive,
    square_argument,
)


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("fool", help="what turns the answers: disturbances, and the smallest change")
    image_argument(parser)
    parser.add_argument(
        "--disturbance", action="append", default=[], metavar="NAME", choices=tuple(DISTURBANCES),
        help=f"one of {', '.join(DISTURBANCES)}; may be repeated (default: all)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=SEED, help="of the noise")
    parser.add_argument("--no-attack", action="store_true", help="disturbances only")
    parser.add_argument("--head", default=DEFAULT_HEAD, choices=HEADS, help="whose answer is attacked")
    parser.add_argument(
        "--target", metavar="CLASS", help="what the answer is to become: an index, a WordNet id or words (default: any)"
    )
    parser.add_argument(
        "--norm", default=DEFAULT_NORM, choices=NORMS,
        help="what is bounded: every value by itself (linf), or all together (l2)",
    )  # fmt: skip
    parser.add_argument(
        "--bound", type=float, metavar="LEVELS",
        help="attack inside this bound, in levels of 255, instead of looking for the smallest",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=STEPS, help=f"gradients inside one bound (default {STEPS})")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER",
        help="writes photo.png, change.png (enlarged), changed.npz with the exact pixels, and changed.png where a "
        "picture of 8 bits turns the answer too",
    )  # fmt: skip
    square_argument(parser)
    add_raw_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints the first flips and the way of the change through the network, or JSON."""
    require_positive(args, "steps")
    classifier = classifier_from(args)
    photo = aimed(open_photo(args.image), args)
    around = surroundings(photo.image, classifier.preprocessing, photo.square)
    names = list(dict.fromkeys(args.disturbance)) or list(DISTURBANCES)
    # The attack's question first: who asks it wrong should not wait for the disturbances.
    question = None if args.no_attack else _question(args, classifier, photo)
    swept = [ask_strengths(classifier, around, name, args.seed) for name in names]
    found = None if question is None else fool(classifier, around.moved(), question, _probes(args, classifier))
    if found is not None and args.out is not None:
        _write(found, around, args.out)
    if args.json:
        square = None if photo.square is None else square_text(photo.square)
        answer = {**describe(classifier), "path": str(args.image), "square": square, "seed": args.seed}
        answer["disturbances"] = {each.name: each.as_dict(classifier) for each in swept}
        print_json({**answer, "attack": None if found is None else found.as_dict()})
        return 0
    print("\n".join([*_flips(swept, classifier), *([] if found is None else told(found))]))
    return 0


def _question(args: argparse.Namespace, classifier: Classifier, photo: Photo) -> AttackQuestion:
    head = trained_head(classifier, args.head)
    target = None
    if args.target is not None:
        logits = classifier.heads_of(classifier.prepare(photo.image, photo.square)).of(head)
        asked = Target.parse(args.target, classifier.checkpoint.labels, logits[0])
        if asked.minus is not None:
            raise ValueError(f"--target takes one class; {args.target!r} names two")
        target = asked.index
    return AttackQuestion(head, target, args.norm, args.bound, args.steps)


def _probes(args: argparse.Namespace, classifier: Classifier) -> Probes | None:
    path = probes_path(args.checkpoint)
    return load_probes(path, classifier.checkpoint) if path.is_file() else None


def _flips(swept: list[Strengths], classifier: Classifier) -> list[str]:
    """A line per disturbance and head: where its answer is first another one."""
    lines = []
    for each in swept:
        lines.append(f"{each.kind.label} ({each.kind.reading}):")
        for head in each.answers:
            flips = [
                f"at {each.kind.words(flip.strength)} {short(classifier.checkpoint.label(flip.index).words)} "
                f"{percent(flip.probability)}"
                for flip in each.flips(head)
            ]
            answer = short(classifier.checkpoint.label(each.clean(head)).words)
            lines.append(f"  {head:5s} {answer}: {'; '.join(flips) or 'stays at every strength'}")
    return lines


def told(found: Fooled) -> list[str]:
    """How large the change is, and a row per reading on the way through the network."""
    change, depth = found.change, found.depth
    norm = "every value" if change.norm == "linf" else "all values together"
    answer = f"{found.question.head}: {short(found.before.label)} {percent(found.before.probability)}"
    if change.reached:
        lines = [
            f"{answer} becomes {short(found.after.label)} {percent(found.after.probability)} by a change of "
            f"{number(change.size)}/255 ({norm})"
            + (f"; inside {number(change.below)}/255 none was found." if change.asked is None else ".")
        ]
        if change.norm == "linf":
            lines.append(
                f"As a picture of 8 bits it takes {change.whole}/255."
                if change.whole is not None
                else "As a picture of 8 bits none was found."
            )
    else:
        lines = [f"{answer} stays: no change up to {number(change.below)}/255 ({norm}) was found that turns it."]
    lines.append(f"Lead of {short(found.before.label)} in logits over depth, photo and changed photo:")
    lines += [
        f"  {each.module} {each.name:6s}{each.lead.clean:>+8.2f}{each.lead.disturbed:>+8.2f}"
        f"   activations apart {depth.apart[each.module]:.1%}{'   turned' if each.turned else ''}"
        for each in depth.readings
    ]
    turn = depth.turn
    return [*lines, "It does not turn." if turn is None else f"It turns at {turn.module} ({turn.name})."]


def _write(found: Fooled, around: Surroundings, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    change = found.change
    around.moved().save(folder / "photo.png")
    enlarged(change.change)[0].save(folder / "change.png")
    if change.stored is not None:
        picture_of(change.stored / LEVELS).save(folder / "changed.png")
    np.savez(folder / "changed.npz", clean=change.clean[0].numpy(), changed=change.changed[0].numpy())
