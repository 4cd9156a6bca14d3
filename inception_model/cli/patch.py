"""`patch`: what must be carried over from one photo to turn the answer for another."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ..analysis.patching import PatchEffects, Turn, contrast, patch_effects, turn
from ..architecture.spec import BRANCHES, DEFAULT_HEAD, HEADS
from ..attribution.explaining import trained_head
from ..images.decode import open_photo
from ..inference.plain import describe
from ..inference.targets import Target
from ..inference.trace import capture
from .common import classifier_from, finish, print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("patch", help="what must be carried over from photo A to turn photo B's answer")
    parser.add_argument("a", type=Path, metavar="A", help="the photo that activations are taken from")
    parser.add_argument("b", type=Path, metavar="B", help="the photo that runs with them")
    parser.add_argument("--head", default=DEFAULT_HEAD, choices=HEADS)
    parser.add_argument(
        "--target", default="auto", metavar="CLASS-CLASS",
        help="a contrast of two classes such as 3-7 (auto: A's answer minus B's)",
    )  # fmt: skip
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints the effect of every branch and what turns the answer, or JSON."""
    photos = [open_photo(path) for path in (args.a, args.b)]
    classifier = classifier_from(args)
    head = trained_head(classifier, args.head)
    a, b = (capture(classifier, classifier.prepare(photo.image)) for photo in photos)
    if args.target == "auto":
        target = contrast(classifier, a, b, head)
    else:
        target = Target.parse(args.target, classifier.checkpoint.labels, a.logits(head)[0])
        if target.minus is None:
            raise ValueError(f"--target takes a contrast of two classes such as 3-7; {args.target!r} names one")
    effects = patch_effects(classifier, a, b, head, target)
    turned = turn(classifier, a, b, effects)
    if args.json:
        answer = {**describe(classifier), "a": str(args.a), "b": str(args.b), "head": head, "target": asdict(target)}
        print_json({**answer, **effects.as_dict(), "turn": turned.as_dict()})
    else:
        print("\n".join(text(effects, turned, str(args.a), str(args.b))))
    return 0


def text(effects: PatchEffects, turned: Turn, a: str, b: str) -> list[str]:
    """The table and two sentences."""
    lines = [
        f"{effects.target.name} at {effects.head}: {effects.score_a:+.2f} logits for {a}, "
        f"{effects.score_b:+.2f} for {b}",
        f"How far one branch of {a} carries {b} towards it (0%: not at all, 100%: all the way):",
        f"{'':7}" + "".join(f"{kind:>9}" for kind in BRANCHES),
    ]
    for name, row in zip(effects.modules, effects.effects.tolist(), strict=True):
        lines.append(f"{name:7}" + "".join(f"{value:>+9.0%}" for value in row))
    part, effect = effects.strongest
    lines += [f"Strongest alone: {part} with {effect:.0%}.", in_words(turned)]
    return lines


def in_words(turned: Turn) -> str:
    """What must be carried over to turn the answer."""
    steps = ", then ".join(f"{part} ({effect:.0%})" for part, effect in zip(turned.parts, turned.effects, strict=True))
    if turned.turned:
        return f"To turn the answer, carry over {steps}."
    return f"Nothing turns the answer into that class; carried over: {steps}."
