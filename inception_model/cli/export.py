"""`export`: the network as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..checkpoints.checkpoint import BUNDLED
from ..checkpoints.store import load
from ..inference.onnx_export import MAPS, OPSET, export
from .common import add_json_option, print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("export", help="write the network as ONNX, with three heads and, if asked, all maps")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx", help="the file")
    parser.add_argument("--branches", action="store_true", help="every map of every module as an output too")
    parser.add_argument(
        "--checkpoint", default=BUNDLED, metavar="NAME|PATH", help="a name of `checkpoints list`, or a file"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the file and says what its outputs are."""
    if args.out.suffix != ".onnx":
        raise ValueError(f"--out must name an .onnx file; got {args.out}")
    checkpoint = load(args.checkpoint)
    path = export(checkpoint, args.out, branches=args.branches)
    maps = len(checkpoint.spec.module_names) * len(MAPS) if args.branches else 0
    untrained = [head for head in checkpoint.spec.heads if head not in checkpoint.heads_trained]
    if args.json:
        answer = {"checkpoint": checkpoint.name, "sha256": checkpoint.sha256, "out": str(path), "opset": OPSET}
        print_json({**answer, "heads": checkpoint.spec.heads, "untrained_heads": untrained, "maps": maps})
        return 0
    print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB, opset {OPSET})")
    print(f"input: image; outputs: {', '.join(checkpoint.spec.heads)}" + (f" and {maps} maps" if maps else ""))
    if untrained:
        print(f"{', '.join(untrained)}: never trained in this checkpoint; the logits are no predictions")
    return 0
