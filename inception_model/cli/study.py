"""`study`: short trainings of networks that differ in one part, with several seeds, as a table with intervals."""

from __future__ import annotations

import argparse
import hashlib
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..drawing.numbers import amount
from ..inference.classifier import DEFAULT_DEVICE, DEVICES, pick_device
from ..studies.registry import STUDIES
from ..studies.results import LEVEL, Mean, Run, StudyResults
from ..studies.running import Plan, run_study
from ..training.data import LabelledImages, open_dataset, read_labels
from ..training.fingerprint import data_hash
from ..training.holdout import training_images
from ..training.recipe import STUDY, Stage
from ..training.trainer import StoppedError
from .common import add_json_option, print_json, require_positive

SEEDS = 3
WIDTH = 0.5
MEASURED = 2000


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("study", help="what one part of a network brings: short trainings, with intervals")
    parser.add_argument("study", choices=tuple(STUDIES), metavar="STUDY", help="; ".join(
        f"{name}: {study.question}" for name, study in STUDIES.items()
    ))  # fmt: skip
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder with a validation split")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="the results; a study that was stopped goes on from there, and more --seeds may be asked later",
    )  # fmt: skip
    stage = STUDY.stages[0]
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of every network (default %(default)s)")
    parser.add_argument("--size", type=int, default=stage.size, help="of the images, in pixels (default %(default)s)")
    parser.add_argument(
        "--epochs", type=float, default=stage.epochs,
        help="of every run; where time is equal, of the base (default %(default)g)",
    )  # fmt: skip
    parser.add_argument("--width", type=float, default=WIDTH, help="part of the networks' own (default %(default)g)")
    parser.add_argument("--batch", type=int, default=STUDY.batch, help="images a step (default %(default)s)")
    parser.add_argument("--lr", type=float, default=STUDY.lr, help="peak learning rate (default %(default)g)")
    parser.add_argument(
        "--classes", type=int,
        help="only the first N: what networks get right differs sooner where there are fewer to tell apart",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="training images, evenly over the split")
    parser.add_argument(
        "--measured", type=int, default=MEASURED, help="validation images, evenly over the split (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that make views (default %(default)s)")
    parser.add_argument("--device", default=DEFAULT_DEVICE, choices=DEVICES)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Carries the study out and prints its table; SIGTERM saves and ends."""
    require_positive(args, "seeds", "size", "batch", "classes", "limit", "measured")
    if not args.epochs > 0 or not args.width > 0 or not args.lr > 0:
        raise ValueError("--epochs, --width and --lr must be above 0")
    labels = read_labels(args.data)
    classes = min(args.classes or len(labels), len(labels))
    training = _of(training_images(args.data, len(labels)), classes).spread(args.limit)
    measured = _of(open_dataset(args.data, "validation", labels), classes).spread(args.measured)
    both = "".join(data_hash(images, args.data) for images in (training, measured))
    config = replace(STUDY, stages=(Stage(args.size, args.epochs),), batch=args.batch, lr=args.lr)
    plan = Plan(
        args.study, classes, training, measured, hashlib.sha256(both.encode()).hexdigest(), args.width, config,
        pick_device(args.device), args.workers,
    )  # fmt: skip
    stop, started = threading.Event(), time.perf_counter()
    first: list[int] = []

    def told(run: Run, done: int, total: int) -> None:
        first.append(done)
        each = (time.perf_counter() - started) / len(first)
        if not args.json:
            left = f", about {each * (total - done) / 60:.0f} min left" if done < total else ""
            print(
                f"[{done}/{total}] {run.variant}, seed {run.seed}: top-1 {run.top1:.2%}, {run.steps} steps{left}",
                flush=True,
            )

    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        found = run_study(plan, range(args.seeds), args.out, stop=stop.is_set, told=told)
    except StoppedError as stopped:
        print(stopped)
        return 0
    finally:  # whoever called this command may be asked to end later
        signal.signal(signal.SIGTERM, before)
    if args.json:
        print_json({"study": found.study, "base": found.base, "rows": [asdict(row) for row in found.summaries()]})
    else:
        print("\n".join(table(found)))
        print(f"written: {args.out}")
    return 0


def _of(images: LabelledImages, classes: int) -> LabelledImages:
    """The images of the first classes."""
    return images.take([index for index, label in enumerate(images.labels.tolist()) if label < classes])


def table(found: StudyResults) -> list[str]:
    """A line for every variant."""
    rows = found.summaries()
    wide = max(len(row.variant) for row in rows) + 2
    lines = [
        f"{'':<{wide}}{'parameters':>12}{'MACs':>10}{'top-1':>26}{'top-5':>26}  top-1 against {found.base}",
    ]
    for row in rows:
        apart = "" if row.difference is None else between(row.difference, sign="+")
        lines.append(
            f"{row.variant:<{wide}}{amount(row.cost.params):>12}{amount(row.cost.macs):>10}"
            f"{between(row.top1):>26}{between(row.top5):>26}  {apart}".rstrip()
        )
        lines += [
            f"{'':<{wide}}  gradient at {module}: {ratio.value:.2f} times that of {found.base}"
            + ("" if ratio.interval is None else f" ({ratio.interval[0]:.2f} to {ratio.interval[1]:.2f})")
            for module, ratio in row.gradients.items()
        ]
    lines.append(
        f"In brackets: {LEVEL:.0%} intervals over {rows[0].top1.count} seeds (Student's t); top-1 of the same seed is "
        "compared."
        if rows[0].top1.count > 1
        else "One seed: there are no intervals."
    )
    return lines


def between(found: Mean, sign: str = "") -> str:
    """A mean of shares with its interval, in percent."""
    form = f"{sign}.1f"
    if found.interval is None:
        return f"{found.value * 100:{form}}%"
    low, high = found.interval
    return f"{found.value * 100:{form}}% ({low * 100:{form}} to {high * 100:{form}})"
