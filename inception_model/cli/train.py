"""`train`: from labelled images to a checkpoint file with spec, preprocessing, labels and accuracy in it."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..architecture.network import GoogLeNet
from ..architecture.nin import NIN, NetworkInNetwork, nin
from ..architecture.variants import SPECS, get_spec
from ..architecture.weights import init_weights
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.metadata import require_storable
from ..checkpoints.nin_file import TrainedNin, save_nin
from ..checkpoints.safetensors_format import holds
from ..checkpoints.store import load, save
from ..inference.classifier import DEFAULT_DEVICE, DEVICES, pick_device
from ..training.curve import training_curves
from ..training.data import read_labels
from ..training.holdout import hold_out, training_images
from ..training.identity import NO_START
from ..training.recipe import RECIPES, Stage, TrainingConfig, parse_stages
from ..training.run_folder import CHECKPOINT, LAST, LOG, TrainingError, read_log
from ..training.trainer import SAVE_SECONDS, StoppedError, Trainer, views
from .common import require_positive

DEFAULTS = TrainingConfig()


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser(
        "train", help="train a network; a stopped run goes on where it was",
        epilog="Several processes share every batch evenly: torchrun --nproc-per-node N -m inception_model train ...",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Parquet shards or ImageFolder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="log, resume point and checkpoint")
    parser.add_argument("--recipe", choices=tuple(RECIPES), help="a named preset; the options below change parts of it")
    parser.add_argument(
        "--spec", metavar="NAME",
        help=f"network when not starting from a checkpoint: {', '.join(SPECS)}, or {NIN}, which only programs can ask "
        f"(default: the recipe's, else {DEFAULTS.spec})",
    )  # fmt: skip
    parser.add_argument("--start", metavar="NAME|PATH", help="start from this checkpoint's weights")
    options: list[tuple[str, Any, str]] = [
        ("stages", _stages, "SIZE:EPOCHS[:tune],...; tune: classifiers and batch norm only, on centre views"),
        ("batch", int, "images per optimizer step, over all processes"),
        ("lr", float, "peak learning rate"),
        ("lr-end", float, "learning rate at the end of the cycle"),
        ("tune-lr", float, "learning rate at the start of a stage that tunes"),
        ("warmup-steps", int, "steps until the peak"),
        ("decay-epochs", float, "epochs after which the learning rate falls by a step; 0: one cycle"),
        ("decay", float, "share by which it falls then"),
        ("clip", float, "largest norm of a step's gradient; 0: any"),
        ("aux-weight", float, "of each auxiliary head's loss"),
        ("weight-decay", float, "on weights of two and more dimensions"),
        ("bias-rate", float, "learning rate of biases, in parts of the others'"),
        ("label-smoothing", float, "share of the target that goes to all classes evenly"),
        ("ema-decay", float, "of the averaged weights"),
        (
            "polyak-from",
            share_or_none,
            "share of the run after which all steps count alike in the average; none: exponential",
        ),
        ("min-area", float, "smallest random crop, as a share of the image"),
        ("erasing", float, "share of images of which a rectangle is erased"),
        ("photometric", float, "strength of changes of brightness, contrast and colour"),
        ("lighting", float, "standard deviation of noise along the principal components of colour"),
        ("holdout", int, "training images, evenly over the classes, that are measured on instead of trained on"),
        ("seed", int, "of the start, the order and the views"),
    ]
    for name, kind, words in options:
        default = getattr(DEFAULTS, name.replace("-", "_"))
        shown = ",".join(f"{s.size}:{s.epochs:g}" for s in default) if name == "stages" else default
        parser.add_argument(
            f"--{name}", type=kind, metavar=name.upper(), default=argparse.SUPPRESS,
            help=f"{words} (default {'none' if shown is None else shown})",
        )  # fmt: skip
    parser.add_argument("--trivial-augment", action=argparse.BooleanOptionalAction, help="TrivialAugmentWide")
    parser.add_argument("--workers", type=int, default=2, help="processes that make views (default 2)")
    parser.add_argument(
        "--bf16", action=argparse.BooleanOptionalAction, help="bfloat16 autocast (default: where the hardware has it)"
    )
    parser.add_argument(
        "--save-seconds", type=float, default=SAVE_SECONDS, help="time between resume points (default %(default)g)"
    )
    parser.add_argument("--limit", type=int, help="only the first N training images (a quick try)")
    parser.add_argument("--device", default=DEFAULT_DEVICE, choices=DEVICES)
    parser.set_defaults(run=run)


def share_or_none(text: str) -> float | None:
    """A number from 0 to 1, or `none`."""
    if text.strip().lower() == "none":
        return None
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"it takes a share from 0 to 1, or none; got {text!r}")
    return share


def _stages(text: str) -> tuple[Stage, ...]:
    """As `parse_stages`, whose sentence argparse shows."""
    try:
        return parse_stages(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


_SHARES = ("decay", "label_smoothing", "ema_decay", "min_area", "erasing")
_NUMBERS = (
    "lr", "lr_end", "tune_lr", "warmup_steps", "decay_epochs", "clip", "aux_weight", "weight_decay", "bias_rate",
    "photometric", "lighting", "holdout", "seed", "workers", "save_seconds",
)  # fmt: skip


def require_sensible(args: argparse.Namespace) -> None:
    """Raises ValueError for the first option whose number no run can be made with."""
    require_positive(args, "batch", "limit")
    for option in (*_SHARES, *_NUMBERS):
        value, most = getattr(args, option, None), 1.0 if option in _SHARES else sys.float_info.max
        if value is not None and not 0 <= value <= most:
            allowed = "from 0 to 1" if option in _SHARES else "a number of at least 0"
            raise ValueError(f"--{option.replace('_', '-')} must be {allowed}; got {value}")


def config_from(args: argparse.Namespace) -> TrainingConfig:
    """The recipe, or the defaults, with whatever the options say otherwise."""
    names = {field.name for field in dataclasses.fields(TrainingConfig)}
    none = {name for name in names if getattr(DEFAULTS, name) is None}  # which can be asked for
    given = {name: value for name, value in vars(args).items() if name in names and (value is not None or name in none)}
    return dataclasses.replace(RECIPES[args.recipe] if args.recipe else DEFAULTS, **given)


def run(args: argparse.Namespace) -> int:
    """Trains through all stages and writes OUT/checkpoint.safetensors; SIGTERM saves and ends."""
    require_sensible(args)
    config = config_from(args)
    device = pick_device(args.device)
    if "RANK" in os.environ:  # started by torchrun: one process a device, gradients shared
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device.type == "cuda" else device
    labels = read_labels(args.data)
    require_storable(labels)
    images, held_out = hold_out(training_images(args.data, len(labels), args.limit), config.holdout)
    if held_out is None:
        print(
            "no images are held out: the file will have no accuracy and no curve of it. `--holdout N` keeps N training "
            "images back for both; `evaluate` measures the file on other images.",
            flush=True,
        )
    network, source, start = _start(args, config, len(labels))
    told = threading.Event()
    trainer = Trainer(
        network,
        images,
        held_out,
        args.out,
        config,
        device,
        workers=args.workers,
        bf16=has_bf16(device) if args.bf16 is None else args.bf16,
        save_seconds=args.save_seconds,
        start=start,
        classes=labels,
        stop=told.is_set,
    )
    trainer.resume()
    path = args.out / CHECKPOINT
    if trainer.step >= trainer.total_steps and holds(path, trainer.averaged().state_dict()):
        print(f"the run is complete and {path} holds its network: it stays as it is, with all that was written into it")
        return 0
    if trainer.step:
        print(f"going on at step {trainer.step} of {trainer.total_steps} ({args.out / LAST})", flush=True)
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        averaged = trainer.run()
    except StoppedError as stopped:
        print(stopped)
        return 0
    finally:  # whoever called this command may be asked to end later
        signal.signal(signal.SIGTERM, before)
    if trainer.rank > 0:
        return 0
    kept = views(config.stages[-1].size, config)
    words = f"{source} on {len(images)} images of {args.data.name} (torch {torch.__version__})"
    if isinstance(averaged, NetworkInNetwork):
        save_nin(TrainedNin(averaged, kept, labels, trainer.accuracy, words), path)
    else:
        checkpoint = Checkpoint(
            name=args.out.name,
            spec=averaged.spec,
            preprocessing=kept,
            labels=labels,
            state=averaged.state_dict(),
            heads_trained=averaged.spec.heads,
            source=words,
            sha256="",
            accuracy=trainer.accuracy,
            curve=training_curves(read_log(args.out / LOG)),
        )
        save(checkpoint, path)
    print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there: on GPUs that have it, on CPUs with AMX or AVX512-BF16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Private, and so asked for with care: without an answer float32 is right everywhere.
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))


def _start(
    args: argparse.Namespace, config: TrainingConfig, classes: int
) -> tuple[GoogLeNet | NetworkInNetwork, str, str]:
    """The network to train, and where its weights come from: in words, and as the SHA-256 of a file."""
    if args.start is None:
        fresh: GoogLeNet | NetworkInNetwork
        if config.spec == NIN:
            fresh = NetworkInNetwork(nin(classes, config.stages[-1].size))
        else:
            fresh = GoogLeNet(get_spec(config.spec, classes))
        return init_weights(fresh, config.seed, config.initialisation), "trained from scratch", NO_START
    start = load(args.start)
    if start.spec.classes != classes:
        raise TrainingError(f"{args.start} has {start.spec.classes} classes, the data have {classes}")
    return start.trainable(), f"trained on from {start.name}", start.sha256
