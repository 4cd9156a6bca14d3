"""`calibrate`: a temperature for every head, written into the checkpoint's file with what it changes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..analysis.probes import probes_path
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.containers import read_container
from ..checkpoints.rewriting import require_writable
from ..checkpoints.safetensors_format import FORMAT
from ..checkpoints.store import file_of, heads_path, load, save_calibration
from ..inference.classifier import build
from ..inference.plain import describe
from ..training.calibrating import calibrate
from ..training.calibration import Calibration, HeadCalibration, Reliability
from ..training.data import DatasetError, LabelledImages, open_dataset
from ..training.holdout import hold_out
from ..training.recipe import HELD_OUT
from ..trust.benchmark import table_path
from .common import add_batch_option, finish, print_json, require_positive


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("calibrate", help="make probabilities mean what they say: a temperature per head")
    parser.add_argument("data", type=Path, metavar="DATA", help="Parquet shards or ImageFolder, train and validation")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write a calibrated copy there (default: into the checkpoint's file)"
    )
    parser.add_argument(
        "--holdout", type=int, default=HELD_OUT, metavar="N",
        help="the last training images of each class, N in all, which the network must not have been trained on: "
        "temperatures are fitted on them, as `train --holdout` leaves them out (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, metavar="N", help="only N images of either part, evenly spread (a try)")
    add_batch_option(parser)
    parser.epilog = (
        "The file's hash changes: calibrate before `probe` and `benchmark`, whose results belong to one file. "
        "No answer changes its place, only how sure it is said to be; weights and other metadata stay as they are."
    )
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the file and prints a row per head, or JSON."""
    require_positive(args, "holdout", "limit", "batch")
    path, checkpoint = file_of(args.checkpoint), load(args.checkpoint, fitted=False)
    out = args.out or path
    if read_container(path).metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no file of this project's own format, the only one that has a place for temperatures"
        )
    if not checkpoint.heads_trained:
        raise CheckpointError(f"no head of {checkpoint.name} was ever trained, so there is nothing to calibrate")
    require_writable(out)
    held_out, validation = images(args.data, checkpoint, args.holdout, args.limit)
    classifier = build(checkpoint, args.device, args.precision)
    with tqdm(total=len(held_out) + len(validation), unit="img", desc="calibrate", dynamic_ncols=True) as bar:
        found = calibrate(
            classifier.network,
            classifier.trained_heads,
            held_out,
            validation,
            classifier.preprocessing,
            data=args.data.resolve().name,
            batch=args.batch,
            progress=bar.update,
        )
    written = save_calibration(found, path, out)
    stale = [str(beside) for beside in (probes_path(out), heads_path(out), table_path(str(out))) if beside.is_file()]
    if args.json:
        head = {**describe(classifier), "sha256": written.sha256, "temperatures": dict(found.temperatures)}
        print_json({**head, "out": out, **as_dict(found), "measured_on_another_hash": stale})
        return 0
    print("\n".join(table(found)))
    print(f"written: {out} (sha256 {written.sha256})")
    if stale:
        print(f"made for the file as it was before, so make them anew: {', '.join(stale)}")
    return 0


def images(data: Path, checkpoint: Checkpoint, count: int, limit: int | None) -> tuple[LabelledImages, LabelledImages]:
    """The held-out training images and the validation images; raises DatasetError for what is not there."""
    training = open_dataset(data, "train", checkpoint.labels)
    validation = open_dataset(data, "validation", checkpoint.labels)
    for found, what in ((training, "training"), (validation, "validation")):
        if not len(found):
            raise DatasetError(f"{data} has no {what} images")
    _, held_out = hold_out(training, count)
    if held_out is None:
        raise DatasetError(f"{data} leaves no training images to hold out")
    return held_out.spread(limit), validation.spread(limit)


def as_dict(found: Calibration) -> dict[str, Any]:
    """A calibration as JSON has it."""
    heads = {
        head: {
            "temperature": each.temperature,
            "before": _reliability(each.before),
            "after": _reliability(each.after),
        }
        for head, each in found.heads.items()
    }
    return {"data": found.data, "fitted": found.fitted, "measured": found.measured, "heads": heads}


def _reliability(found: Reliability) -> dict[str, Any]:
    return {"calibration_error": found.error, "nll": found.nll, "bins": [vars(each) for each in found.bins]}


def table(found: Calibration) -> list[str]:
    """A row per head."""
    return [
        f"fitted on {found.fitted:,} held-out training images, measured on {found.measured:,} validation images of "
        f"{found.data}",
        f"{'':7}{'temperature':>12}{'calibration error':>22}{'negative log-likelihood':>28}",
        *(_row(head, each) for head, each in found.heads.items()),
    ]


def _row(head: str, found: HeadCalibration) -> str:
    error = f"{found.before.error:.2%} -> {found.after.error:.2%}"
    nll = f"{found.before.nll:.4f} -> {found.after.nll:.4f}"
    return f"{head:7}{found.temperature:>12.4f}{error:>22}{nll:>28}"
