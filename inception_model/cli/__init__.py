"""The command line: one file per command, each with `add_parser(subparsers)` that sets `run=function(args) -> int`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from .._version import __version__
from ..checkpoints.checkpoint import CheckpointError
from ..images.decode import ImageError
from ..inference.classifier import DeviceError
from ..inference.onnx_export import ExportError
from ..training.data import DatasetError
from ..training.run_folder import TrainingError
from .examples import add_examples

COMMANDS = (
    "app",
    "predict",
    "inspect",
    "explain",
    "ablate",
    "patch",
    "fool",
    "visualize",
    "atlas",
    "index",
    "circuit",
    "channels",
    "specialisation",
    "ledger",
    "report",
    "compute",
    "export",
    "checkpoints",
    "train",
    "study",
    "evaluate",
    "calibrate",
    "localize",
    "benchmark",
    "probe",
    "fit-heads",
    "ood",
)
"""Modules of this package, in the order of `--help`; `-` in a command is `_` in its module."""

PROGRAM = "inceptionscope"
"""What the command line calls itself; `python -m inception_model` is the same without having been installed."""

USER_ERRORS = (
    ImageError,
    CheckpointError,
    DeviceError,
    DatasetError,
    ExportError,
    TrainingError,
    KeyError,
    ValueError,
    OSError,
)


def build_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with these commands; only their modules are loaded."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Look inside a trained GoogLeNet (Inception v1).")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in commands:
        importlib.import_module(f".{name.replace('-', '_')}", __name__).add_parser(subparsers)
    add_examples(parser, PROGRAM)
    return parser


def console() -> int:
    """What the installed command `inceptionscope` runs: the app, also with its options alone, or the named command."""
    words = sys.argv[1:]
    alone = not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version"))
    return main(["app", *words] if alone else words)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; user errors become one line on stderr and exit status 2."""
    words = sys.argv[1:] if argv is None else list(argv)
    # Loading takes time: of the commands only the named one is loaded, where it is known.
    args = build_parser(words[:1] if words and words[0] in COMMANDS else COMMANDS).parse_args(words)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except USER_ERRORS as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"error: {message}", file=sys.stderr)
        return 2
