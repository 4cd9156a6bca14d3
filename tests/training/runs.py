"""Images of three colours, and short training runs of the tiny network on them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.weights import init_weights
from inception_model.training.data import open_dataset
from inception_model.training.recipe import Stage, TrainingConfig
from inception_model.training.trainer import Trainer

COLOURS = ((220, 30, 30), (30, 220, 30), (30, 30, 220))


def coloured(label: int, rng: np.random.Generator) -> Image.Image:
    noise = rng.normal(0, 20, (64, 64, 3))
    return Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def config(**changes: object) -> TrainingConfig:  # forty-eight steps: only a short average has seen them
    values = {
        "stages": (Stage(64, 4.0),),
        "batch": 8,
        "lr": 0.05,
        "warmup_steps": 4,
        "ema_decay": 0.5,
    }
    return TrainingConfig(**(values | changes))


def trainer_for(parquet: Path, out: Path, settings: TrainingConfig, **options: Any) -> Trainer:
    start = init_weights(GoogLeNet(variants.tiny(3, batch_norm=1e-5)), seed=1)
    held_out = options.pop("held_out", None)
    return Trainer(start, open_dataset(parquet, "train"), held_out, out, settings, torch.device("cpu"), **options)
