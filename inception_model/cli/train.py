"""`train`: from labelled images to a checkpoint file with spec, preprocessing, labels and accuracy in it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..checkpoint import Checkpoint, load, save
from ..classifier import DEVICES, pick_device
from ..data import LabelledImages, open_dataset, read_labels
from ..network import GoogLeNet, init_weights
from ..spec import get_spec
from ..training import Trainer, TrainingConfig, parse_stages, views

DEFAULTS = TrainingConfig()


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("train", help="train a network; a stopped run goes on where it was")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Parquet shards or ImageFolder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="log, resume point and checkpoint")
    parser.add_argument("--spec", default="batchnorm", help="network variant when not starting from a checkpoint")
    parser.add_argument("--start", metavar="NAME|PATH", help="start from this checkpoint's weights")
    parser.add_argument("--stages", type=parse_stages, default=DEFAULTS.stages, metavar="SIZE:EPOCHS,...")
    parser.add_argument("--batch", type=int, default=DEFAULTS.batch)
    parser.add_argument("--lr", type=float, default=DEFAULTS.lr, help="peak learning rate")
    parser.add_argument("--lr-end", type=float, default=DEFAULTS.lr_end, help="learning rate at the end")
    parser.add_argument("--warmup-steps", type=int, default=DEFAULTS.warmup_steps)
    parser.add_argument("--weight-decay", type=float, default=DEFAULTS.weight_decay)
    parser.add_argument("--label-smoothing", type=float, default=DEFAULTS.label_smoothing)
    parser.add_argument("--ema-decay", type=float, default=DEFAULTS.ema_decay, help="weight averaging")
    parser.add_argument("--min-area", type=float, default=DEFAULTS.min_area, help="smallest random crop")
    parser.add_argument("--photometric", type=float, default=DEFAULTS.photometric, help="strength of colour changes")
    parser.add_argument("--workers", type=int, default=DEFAULTS.workers)
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed)
    parser.add_argument("--no-bf16", dest="bf16", action="store_false", help="float32 instead of bfloat16 autocast")
    parser.add_argument("--limit", type=int, help="only the first N images of each split (a quick try)")
    parser.add_argument("--device", default="auto", choices=DEVICES)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains through all stages and writes OUT/checkpoint.safetensors."""
    names = {field.name for field in dataclasses.fields(TrainingConfig)}
    config = TrainingConfig(**{name: value for name, value in vars(args).items() if name in names})
    device = pick_device(args.device)
    if "RANK" in os.environ:  # started by torchrun: one process a device, gradients shared
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device.type == "cuda" else device
    images = open_dataset(args.data, "train").first(args.limit)
    labels = read_labels(args.data)
    network, source = _start(args, len(labels))
    trainer = Trainer(network, images, _validation(args), args.out, config, device)
    trainer.resume()
    if trainer.step:
        print(f"going on at step {trainer.step} of {trainer.total_steps} ({args.out / 'last.pt'})")
    averaged = trainer.run()
    if trainer.rank > 0:
        return 0
    checkpoint = Checkpoint(
        name=args.out.name,
        spec=averaged.spec,
        preprocessing=views(config.stages[-1].size),
        labels=labels,
        state=averaged.state_dict(),
        heads_trained=averaged.spec.heads,
        source=f"{source} on {len(images)} images of {args.data.name} (torch {torch.__version__})",
        sha256="",
        accuracy=trainer.accuracy,
    )
    path = args.out / "checkpoint.safetensors"
    save(checkpoint, path)
    print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _start(args: argparse.Namespace, classes: int) -> tuple[GoogLeNet, str]:
    """The network to train, and where its weights come from, in words."""
    if args.start is None:
        return init_weights(GoogLeNet(get_spec(args.spec, classes)), args.seed), "trained from scratch"
    start = load(args.start)
    if start.spec.classes != classes:
        raise ValueError(f"{args.start} has {start.spec.classes} classes, the data have {classes}")
    return start.trainable(), f"trained on from {start.name}"


def _validation(args: argparse.Namespace) -> LabelledImages | None:
    try:
        return open_dataset(args.data, "validation").first(args.limit)
    except ValueError as error:
        print(f"no validation images, so no accuracy is measured: {error}")
        return None
