"""Auxiliary heads trained on a trunk that stays as it is: what they read of every image is computed once.

A head sees no more of an image than its average pool gives, 4x4 positions; an image costs 16 KB a head in float16.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..architecture.network import AuxHead, GoogLeNet
from ..architecture.spec import HeadName, NetworkSpec
from ..architecture.weights import init_weights
from ..progress import Progress
from .augmentation import seed_default, view_seed
from .evaluation import HeadAccuracy, accuracy_of
from .recipe import TrainingConfig, learning_rate
from .run_folder import TrainingError
from .trainer import batches

SIDE = 4
"""Positions of a pooled map, each way."""
MEMORY = 1 << 30
"""Bytes of pooled maps that are held in memory; more of them lie in a file."""
AT_ONCE = 512
"""Images that are measured at once."""


def room_for(channels: Mapping[HeadName, int], images: int, folder: Path) -> dict[HeadName, Tensor]:
    """Head -> (images, C, 4, 4) float16 to be filled, in memory or, above MEMORY bytes, in files of `folder`.

    Raises TrainingError where the disk has no room for them.
    """
    needed = {head: images * width * SIDE * SIDE for head, width in channels.items()}
    size = sum(needed.values()) * torch.float16.itemsize
    shapes = {head: (images, width, SIDE, SIDE) for head, width in channels.items()}
    if size <= MEMORY:
        return {head: torch.empty(shape, dtype=torch.float16) for head, shape in shapes.items()}
    free = shutil.disk_usage(folder).free
    if size > free:
        raise TrainingError(
            f"what the heads read of {images:,} images takes {size / 1e9:.1f} GB, and {folder.parent} has "
            f"{free / 1e9:.1f} GB: use a smaller --limit, or set TMPDIR to a folder with more room"
        )
    return {
        head: torch.from_file(
            str(folder / f"{head}-{images}.maps"), shared=True, size=needed[head], dtype=torch.float16
        ).view(shape)
        for head, shape in shapes.items()
    }


def fresh_head(spec: NetworkSpec, head: HeadName, seed: int) -> AuxHead:
    """The head of a network that has learned nothing, in float32 on the CPU."""
    with torch.random.fork_rng(devices=[]):
        return init_weights(GoogLeNet(spec), seed).aux_head(head)


def fit_head(
    start: AuxHead,
    maps: Tensor,
    labels: Tensor,
    config: TrainingConfig,
    device: torch.device,
    progress: Progress | None = None,
) -> AuxHead:
    """A fresh head trained on pooled maps (n, C, 4, 4) and labels (n,), with numbers that float16 can store.

    SGD with Nesterov's momentum, label smoothing and one cosine over all epochs, as the recipe for whole networks; it
    comes back in eval mode on the CPU. Nothing else learns: there is no trunk here. Raises TrainingError where the loss
    is no number any more. `progress` counts steps.
    """
    images = len(labels)
    steps = sum(config.steps_of(stage, images) for stage in config.stages)
    config = replace(config, warmup_steps=min(config.warmup_steps, max(1, steps // 10)))
    head = start.to(device).train()
    decay, rest = ([p for p in head.parameters() if (p.ndim >= 2) == wide] for wide in (True, False))
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, config.lr, momentum=config.momentum, nesterov=True)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        for step, chosen in enumerate(batches(images, config.batch, 0, steps, config.seed)):
            places = torch.tensor(chosen)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, images, config)
            seed_default(view_seed(config.seed, step, images), device)  # dropout
            optimizer.zero_grad(set_to_none=True)
            logits = head.classify(maps[places].to(device).float())
            loss = F.cross_entropy(logits, labels[places].to(device), label_smoothing=config.label_smoothing)
            if not math.isfinite(float(loss.detach())):
                raise TrainingError(
                    f"the loss of {head.spec.name} became {float(loss.detach())} at step {step + 1} of {steps}: use a "
                    "smaller --lr. Nothing was written."
                )
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(head.parameters(), config.clip)
            optimizer.step()
            if progress is not None:
                progress(step + 1, steps)
    return head.cpu().half().float().eval().requires_grad_(False)


def measure_head(head: AuxHead, maps: Tensor, labels: Tensor) -> HeadAccuracy:
    """Accuracy of a head in eval mode on pooled maps (n, C, 4, 4)."""
    with torch.inference_mode():
        logits = [head.classify(part.float()) for part in torch.split(maps, AT_ONCE)]
    return accuracy_of(torch.cat(logits), labels)
