"""`channels`: which channels push a class, measured on images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from ..architecture.address import modules_seen
from ..architecture.spec import DEFAULT_HEAD, HEADS
from ..attribution.explaining import trained_head
from ..circuits.pictures import name_of
from ..circuits.pushes import PUSHES, class_credit, strongest
from ..images.decode import open_photo
from ..inference.plain import describe
from ..inference.targets import AUTO, Target, TargetError
from .common import classifier_from, finish, print_json, require_positive

EVERYWHERE = "all"


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("channels", help="which channels push a class, measured on images")
    parser.add_argument("target", metavar="CLASS", help="index, WordNet id or words; or a contrast of two such as 3-7")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="credit is the mean over these")
    parser.add_argument("--head", default=DEFAULT_HEAD, choices=HEADS)
    parser.add_argument("--module", metavar="MODULE", help=f"one of its modules, or {EVERYWHERE} (default: the last)")
    parser.add_argument("--count", type=int, default=PUSHES, help=f"channels of each direction ({PUSHES})")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints the channels that push most for and against the class, or JSON."""
    require_positive(args, "count")
    classifier = classifier_from(args)
    checkpoint, head = classifier.checkpoint, trained_head(classifier, args.head)
    if args.target.strip().lower() == AUTO:
        raise TargetError("name a class: on several images there may be several best ones")
    target = Target.parse(args.target, checkpoint.labels, torch.zeros(checkpoint.spec.classes))
    seen = modules_seen(checkpoint.spec, head)
    module = args.module or seen[-1]
    if module not in (*seen, EVERYWHERE):
        raise ValueError(f"{head} reads no module {module!r}; allowed: {', '.join(seen)}, {EVERYWHERE}")
    credit: dict[str, Any] = {}
    for path in args.images:  # one at a time: nine modules and their gradients are kept for each
        photo = open_photo(path)
        for name, values in class_credit(classifier, classifier.prepare(photo.image), head, target).items():
            credit[name] = credit.get(name, 0) + values / len(args.images)
    chosen = {name: values for name, values in credit.items() if module in (EVERYWHERE, name)}
    ahead, against = strongest(checkpoint.spec, chosen, args.count)
    if args.json:
        told = {"for": [each.as_dict() for each in ahead], "against": [each.as_dict() for each in against]}
        images = [str(path) for path in args.images]
        print_json(
            {**describe(classifier), "target": target.name, "head": head, "module": module, "images": images, **told}
        )
        return 0
    exact = head == DEFAULT_HEAD and module == checkpoint.spec.module_names[-1]
    how = "exact shares of the logit" if exact else "to first order"
    print(f"{target.name} at {head}: credit in logits, {how}, mean of {len(args.images)} image(s)")
    for title, pushes in (("for", ahead), ("against", against)):
        print(title)
        for each in pushes:
            print(f"  {each.unit!s:18s} {name_of(checkpoint, each.unit):16s} {each.credit:+.3f}")
    return 0
