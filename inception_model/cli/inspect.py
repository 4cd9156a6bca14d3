"""`inspect`: every branch of every module on one image, as arrays in an .npz file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..images.decode import open_photo
from ..inference.trace import Trace, capture
from .common import classifier_from, describe, finish, image_argument, print_json


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("inspect", help="save every branch of every module as arrays")
    image_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the arrays and prints shape, mean, max and share of zeros of each."""
    if args.out.suffix != ".npz":
        raise ValueError(f"--out must name an .npz file; got {args.out}")
    classifier = classifier_from(args)
    photo = open_photo(args.image)
    arrays = trace_arrays(capture(classifier, classifier.prepare(photo.image)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)  # type: ignore[arg-type]
    summary = {name: _summary(values) for name, values in arrays.items()}
    untrained = [head for head in classifier.heads if head not in classifier.trained_heads]
    if args.json:
        answer = {**describe(classifier), "path": str(args.image), "out": str(args.out)}
        print_json({**answer, "untrained_heads": untrained, "arrays": summary})
        return 0
    print(f"{'array':16s} {'shape':>14s} {'mean':>9s} {'max':>9s} {'zeros':>7s}")
    for name, row in summary.items():
        shape = "x".join(map(str, row["shape"]))
        print(f"{name:16s} {shape:>14s} {row['mean']:9.4f} {row['max']:9.4f} {row['zeros']:7.1%}")
    if untrained:
        print(f"{', '.join(untrained)}: never trained in this checkpoint; the logits are no predictions")
    print(f"{len(arrays)} arrays written to {args.out}")
    return 0


def trace_arrays(trace: Trace) -> dict[str, np.ndarray]:
    """The first image's arrays: `4d/5x5` (C, H, W) and so on for all modules, `logits/main` (K,)."""
    arrays = {
        f"{name}/{node}": tensor[0].contiguous().numpy()
        for name, block in trace.blocks.items()
        for node, tensor in block.nodes()
    }
    logits = {f"logits/{head}": value[0].numpy() for head, value in trace.heads._asdict().items() if value is not None}
    return arrays | logits


def _summary(values: np.ndarray) -> dict[str, Any]:
    return {
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "max": float(values.max()),
        "zeros": float((values == 0).mean()),
    }
