"""`ablate`: branches or channels switched off, and what the three heads say then."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..analysis.ablation import (
    FILLS,
    REFERENCE_FILLS,
    Ablation,
    AblationResult,
    RankChange,
    ablate,
    fill_means,
    sweep,
)
from ..architecture.spec import BRANCHES
from ..images.decode import open_photo
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..inference.targets import AUTO, FORMS, Target
from ..inference.trace import capture
from .common import (
    add_fill_option,
    add_raw_option,
    add_top_option,
    classifier_from,
    finish,
    image_argument,
    print_json,
    require_positive,
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("ablate", help="switch off branches or channels and ask the three heads again")
    image_argument(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--off",
        action="append",
        metavar="MODULE[:BRANCH[:CHANNEL]]",
        help="4d, 4d:5x5 or 4d:5x5:17; may be given many times",
    )
    what.add_argument("--sweep", action="store_true", help="each of the branches of every module alone")
    add_fill_option(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="IMAGE",
        help=f"the image whose channel means --fill {' or '.join(REFERENCE_FILLS)} takes",
    )
    parser.add_argument("--target", default=AUTO, help=f"of the sweep: {FORMS} (auto: the main head's best class)")
    add_top_option(parser)
    add_raw_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Prints before and after, or the sweep's table, or JSON."""
    require_positive(args, "top")
    if args.reference is not None and args.fill not in REFERENCE_FILLS:
        raise ValueError(f"--reference goes with --fill {' or '.join(REFERENCE_FILLS)}; got --fill {args.fill}")
    photo = open_photo(args.image)
    classifier = classifier_from(args)
    words = FILLS[args.fill].of_channels(args.reference and str(args.reference))
    if not args.sweep:
        ablation = Ablation.parse(args.off, classifier.network.spec, args.fill)
    x = classifier.preprocessing(photo.image)
    reference = args.reference and classifier.preprocessing(open_photo(args.reference).image)
    trace, means = capture(classifier, x), fill_means(classifier, x, args.fill, reference)
    head = {**describe(classifier), "path": str(args.image), "fill": args.fill}
    if args.sweep:
        target = Target.parse(args.target, classifier.checkpoint.labels, trace.logits("main")[0])
        swept = sweep(classifier, trace, args.fill, means)
        numbers = swept.as_dict(target, classifier.trained_heads)
        answer = {**head, "target": asdict(target), "seconds": round(swept.seconds, 4), "sweep": numbers}
        text = _sweep_text(answer, words)
    else:
        answer = {**head, **_json(classifier, ablate(classifier, trace, ablation, means), args.top)}
        text = _text(answer, words)
    if args.json:
        print_json(answer)
    else:
        print("\n".join(text))
    return 0


def _json(classifier: Classifier, result: AblationResult, count: int) -> dict[str, Any]:
    heads: dict[str, Any] = {}
    for name in classifier.heads:
        # An untrained head's logits are noise: they are never listed as a prediction.
        trained = name in classifier.trained_heads
        top = [_change(classifier, change) for change in result.top(name, count)] if trained else []
        heads[name] = {"trained": trained, "top": top}
    return {
        "off": [str(part) for part in result.ablation.parts],
        "rerun": list(result.rerun),
        "seconds": round(result.seconds, 4),
        "heads": heads,
    }


def _change(classifier: Classifier, change: RankChange) -> dict[str, Any]:
    label = classifier.checkpoint.label(change.index)
    pairs = {"logit": change.logit, "probability": change.probability, "rank": change.rank}
    return {
        "index": change.index,
        "wnid": label.wnid,
        "label": label.words,
        **{name: {"before": before, "after": after} for name, (before, after) in pairs.items()},
        "delta": change.delta,
    }


def _text(answer: dict[str, Any], words: str) -> list[str]:
    again = f"ran {answer['rerun'][0]} to {answer['rerun'][-1]} again" if answer["rerun"] else "no module ran again"
    lines = [
        f"{answer['path']}: {', '.join(answer['off'])} set to {words}; {again} ({answer['seconds'] * 1000:.0f} ms)",
        f"{'':7}{'before':>8}{'after':>8}{'logit':>9}{'rank':>11}",
    ]
    for head, found in answer["heads"].items():
        if not found["trained"]:
            lines.append(f"{head}: never trained in this checkpoint, so it says nothing")
        for place, row in enumerate(found["top"]):
            chance, rank = row["probability"], row["rank"]
            lines.append(
                f"{'' if place else head:7}{chance['before']:>8.1%}{chance['after']:>8.1%}{row['delta']:>+9.2f}"
                f"{rank['before']:>5} -> {rank['after']:<3} {row['label']}"
            )
    return lines


def _sweep_text(answer: dict[str, Any], words: str) -> list[str]:
    lines = [
        f"{answer['path']}: change of the score of {answer['target']['name']} (logits) "
        f"when one branch is set to {words} ({answer['seconds']:.2f} s)"
    ]
    for head, rows in answer["sweep"].items():
        lines += ["", f"{head:7}" + "".join(f"{kind:>9}" for kind in BRANCHES)]
        for row in rows:
            # A head can't see what lies behind its module: exactly 0, which is not worth a line.
            if any(row["branches"].values()):
                lines.append(f"{row['module']:7}" + "".join(f"{value:>+9.2f}" for value in row["branches"].values()))
    return lines
