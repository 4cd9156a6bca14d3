"""`ledger`: how much of a head's score each branch of each module earned."""

from __future__ import annotations

import argparse
from typing import Any

from ..analysis.conductance import credit_ledger, exact_split
from ..architecture.spec import BRANCHES, DEFAULT_HEAD, HEADS
from ..images.baselines import BASELINES, DEFAULT_BASELINE, baseline
from ..images.decode import open_photo
from ..inference.plain import describe
from ..inference.targets import AUTO, FORMS, Target
from ..inference.trace import capture
from .common import add_path_options, classifier_from, finish, image_argument, print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("ledger", help="the credit of every branch of every module, in sums that close")
    image_argument(parser)
    parser.add_argument("--head", default=DEFAULT_HEAD, choices=HEADS)
    parser.add_argument("--target", default=AUTO, help=f"{FORMS} (auto: the head's best class)")
    add_path_options(parser)
    parser.add_argument("--baseline", default=DEFAULT_BASELINE, choices=tuple(BASELINES), help="where the path starts")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints the table, or JSON."""
    photo = open_photo(args.image)
    classifier = classifier_from(args)
    x = classifier.preprocessing(photo.image)
    trace = capture(classifier, x)
    target = Target.parse(args.target, classifier.checkpoint.labels, trace.logits(args.head)[0])
    start = baseline(args.baseline, x, classifier.preprocessing)
    ledger = credit_ledger(
        classifier, x, start, target, args.head, steps=args.steps, error=args.error, limit=args.limit
    )
    answer = {**describe(classifier), "path": str(args.image), "baseline": args.baseline, **ledger.as_dict()}
    if args.head == "main":
        answer["exact"] = {"module": "5b", **exact_split(classifier, trace, target).as_dict()}
    if args.json:
        print_json(answer)
    else:
        print("\n".join(_text(answer)))
    return 0


def _text(answer: dict[str, Any]) -> list[str]:
    lines = [
        f"{answer['path']}: {answer['head']}, {answer['target']['name']}, in logits",
        f"score {answer['score']:+.3f}, of the baseline ({answer['baseline']}) {answer['baseline_score']:+.3f}: "
        f"every row adds up to {answer['total']:+.3f} but for its residual",
        "",
        f"{'module':8}" + "".join(f"{kind:>9}" for kind in BRANCHES) + f"{'sum':>10}{'residual':>10}{'':9}{'steps':>7}",
    ]
    for row in answer["modules"]:
        share = row["relative_residual"]
        lines.append(
            f"{row['module']:8}"
            + "".join(f"{value:>+9.3f}" for value in row["branches"].values())
            + f"{row['sum']:>+10.3f}{row['residual']:>+10.3f}"
            + (f"{'':9}" if share is None else f"{share:>+9.1%}")
            + f"{row['steps']:>7}"
            + ("" if row["met"] else "  limit")
        )
    lines += ["", answer["steps_words"], f"{answer['seconds']:.1f} s"]
    if "exact" in answer:
        exact = answer["exact"]
        parts = " ".join(f"{value:+.3f} ({kind})" for kind, value in exact["branches"].items())
        lines.append(f"without a baseline, at 5b: {parts} {exact['bias']:+.3f} (bias) = {exact['score']:+.3f}")
    return lines
