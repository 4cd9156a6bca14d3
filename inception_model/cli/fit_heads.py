"""`fit-heads`: the auxiliary heads that a checkpoint lacks, and its probes, trained on its frozen trunk."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..analysis.frozen_trunk import Seen, accuracy_before, fit_heads, look
from ..analysis.probes import load_probes, save_probes, train_probes
from ..architecture.spec import HEADS, HeadName
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.fitted_heads import SUFFIX, fittable, save_fitted_heads, with_former
from ..checkpoints.rewriting import require_writable
from ..checkpoints.store import heads_path, load
from ..inference.classifier import Classifier, build
from ..inference.plain import describe
from ..training.data import DatasetError, LabelledImages, open_dataset
from ..training.evaluation import BATCH
from ..training.fitted import FittedHeads
from ..training.holdout import hold_out
from ..training.recipe import FITTED_HEADS, HELD_OUT, Stage, TrainingConfig
from .common import finish, print_json, require_positive

PROBES = ".probes.safetensors"


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("fit-heads", help="train the auxiliary heads and probes that a checkpoint lacks")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder, with training images")
    parser.add_argument(
        "--heads",
        nargs="+",
        choices=HEADS[:-1],
        metavar="HEAD",
        help="default: those that were never trained; fitted ones in the file that are not named stay",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: NAME.{SUFFIX} beside the checkpoint")
    stage = FITTED_HEADS.stages[0]
    parser.add_argument(
        "--epochs", type=float, default=stage.epochs, metavar="N", help="passes over the images (default %(default)g)"
    )
    parser.add_argument("--lr", type=float, default=FITTED_HEADS.lr, help="peak learning rate (default %(default)g)")
    parser.add_argument("--seed", type=int, default=FITTED_HEADS.seed, help="of start, order and dropout")
    parser.add_argument(
        "--batch", type=int, default=FITTED_HEADS.batch, metavar="N", help="images per step (default %(default)s)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only N training images, evenly spread")
    parser.add_argument(
        "--holdout", type=int, default=HELD_OUT, metavar="N",
        help="the last training images of each class, N in all, are measured on instead (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images")
    parser.add_argument(
        "--probes", action=argparse.BooleanOptionalAction, default=True,
        help="also a linear probe at every module, unless probes of this checkpoint lie there already",
    )  # fmt: skip
    parser.add_argument(
        "--trial", action="store_true",
        help="fit heads anew that came trained, print both accuracies and write nothing: how good is a fit?",
    )  # fmt: skip
    parser.epilog = (
        "The trunk stays as it is, to the bit; what the heads read of every image is computed once. The files belong "
        "to one file of weights (SHA-256), and are replaced only once all is done: Ctrl-C leaves what was there."
    )
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the heads (and probes) and prints what they get right, or JSON."""
    require_positive(args, "batch", "limit", "holdout")
    if not args.epochs > 0 or not args.lr > 0 or args.seed < 0 or args.workers < 0:
        raise ValueError("--epochs and --lr must be above 0, --seed and --workers 0 or more")
    checkpoint = load(args.checkpoint, fitted=False)
    heads = chosen_heads(checkpoint, args.heads, trial=args.trial)
    out: Path = args.out or heads_path(args.checkpoint)
    if not args.trial:
        require_writable(out)
    probes_out = out.with_name(out.name.removesuffix(f".{SUFFIX}").removesuffix(".safetensors") + PROBES)
    with_probes = args.probes and not args.trial and not _has_probes(probes_out, checkpoint)
    training, held_out = images(args.data, checkpoint, args.holdout, args.limit)
    classifier = build(checkpoint, args.device, args.precision)
    config = replace(
        FITTED_HEADS,
        stages=(Stage(checkpoint.preprocessing.size, args.epochs),),
        lr=args.lr,
        batch=args.batch,
        seed=args.seed,
    )
    source = f"{args.data.resolve().name}, torch {torch.__version__}"
    with tempfile.TemporaryDirectory(prefix="inceptionscope-") as folder:
        seen = _look(classifier, training, heads, args, with_probes, Path(folder), "training images")
        new = _look(classifier, held_out, heads, args, with_probes, Path(folder), "held-out images")
        found = _fit(classifier, seen, new, config, source)
        before = accuracy_before(classifier, new)
    files = [] if args.trial else [out]
    if not args.trial:
        save_fitted_heads(with_former(found, out, checkpoint), out)
    probes = {}
    if seen.features is not None and new.features is not None:
        with tqdm(total=len(seen.features.values), unit="probe", desc="probes", dynamic_ncols=True) as bar:
            fitted = train_probes(classifier, seen.features, new.features, source, lambda n, _: bar.update(n - bar.n))
        save_probes(fitted, probes_out)
        files.append(probes_out)
        probes = {name: asdict(probe.accuracy) for name, probe in fitted.modules.items()}
    answer = {
        **describe(classifier),
        "heads": {head: asdict(right) for head, right in found.accuracy.items()},
        "came_trained": {head: asdict(right) for head, right in before.items()},
        "probes": probes,
        "images": {"training": found.training, "held_out": found.held_out},
        "classes": {"with_images": found.classes, "of": checkpoint.spec.classes},
        "settings": asdict(found.settings),
        "written": files,
    }
    print_json(answer) if args.json else print("\n".join(table(answer)))
    return 0


def chosen_heads(checkpoint: Checkpoint, named: list[HeadName] | None, *, trial: bool) -> tuple[HeadName, ...]:
    """The heads to fit; raises CheckpointError that says why there are none."""
    there = tuple(aux.name for aux in checkpoint.spec.aux)
    if not there:
        raise CheckpointError(
            f"{checkpoint.name} has no auxiliary heads to fit; `probe` trains a linear classifier at every module"
        )
    if missing := [head for head in named or () if head not in there]:
        raise CheckpointError(f"{checkpoint.name} has no head {missing[0]}; it has: {', '.join(there)}")
    free = there if trial else fittable(checkpoint)
    if taken := [head for head in named or there[: 0 if free else None] if head not in free]:
        raise CheckpointError(
            f"{' and '.join(taken)} of {checkpoint.name} came trained and stay as they are; with --trial they are "
            "fitted anew to be measured, and nothing is written"
        )
    return tuple(head for head in free if named is None or head in named)


def images(data: Path, checkpoint: Checkpoint, count: int, limit: int | None) -> tuple[LabelledImages, LabelledImages]:
    """Training images to fit on, and those held out of them, as `train --holdout` leaves them out."""
    training, held_out = hold_out(open_dataset(data, "train", checkpoint.labels or None), count)
    if held_out is None or not len(training):
        raise DatasetError(f"{data} leaves no training images")
    outside = {int(label) for label in np.unique(training.labels) if not 0 <= label < checkpoint.spec.classes}
    if outside:
        raise DatasetError(f"labels {sorted(outside)[:3]} are not among {checkpoint.spec.classes} classes")
    return training.spread(limit), held_out


def table(answer: dict[str, Any]) -> list[str]:
    """For people: a row per head and probe, then what was written."""
    counts, classes = answer["images"], answer["classes"]
    lines = [f"fitted on {counts['training']:,} images, measured on {counts['held_out']:,} held-out ones, centre view"]
    if classes["with_images"] < classes["of"]:
        lines.append(
            f"{classes['of'] - classes['with_images']:,} of {classes['of']:,} classes have no image among them: these "
            "heads never answer with one of those"
        )
    for head, right in answer["heads"].items():
        lines.append(f"  {head:5} top-1 {right['top1']:.2%}  top-5 {right['top5']:.2%}{_beside(answer, head)}")
    for name, right in answer["probes"].items():
        lines.append(f"  probe at {name}  top-1 {right['top1']:.2%}  top-5 {right['top5']:.2%}")
    return lines + [f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)" for path in answer["written"]]


def _beside(answer: dict[str, Any], head: str) -> str:
    came = answer["came_trained"].get(head)
    return f"  (the one that came trained: {came['top1']:.2%} and {came['top5']:.2%})" if came else ""


def _has_probes(path: Path, checkpoint: Checkpoint) -> bool:
    """Whether usable probes lie there: they may have been trained on more images than these."""
    try:
        load_probes(path, checkpoint)
    except CheckpointError:
        return False
    return True


def _look(
    classifier: Classifier,
    images: LabelledImages,
    heads: tuple[HeadName, ...],
    args: argparse.Namespace,
    probes: bool,
    folder: Path,
    words: str,
) -> Seen:
    with tqdm(total=len(images), unit="img", desc=words, dynamic_ncols=True) as bar:
        return look(
            classifier,
            images,
            heads,
            folder,
            probes=probes,
            batch=BATCH,
            workers=args.workers,
            progress=lambda seen, _: bar.update(seen - bar.n),
        )


def _fit(classifier: Classifier, seen: Seen, new: Seen, config: TrainingConfig, source: str) -> FittedHeads:
    with tqdm(unit="step", desc="heads", dynamic_ncols=True) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return fit_heads(classifier, seen, new, config, source, tell)
