"""What a trunk that stays as it is shows of labelled images to those who learn on it: auxiliary heads and probes.

One pass over the images' centre views serves both; the network is in eval mode and no weight of it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..inference.classifier import Classifier
from ..progress import Progress
from ..training.data import LabelledImages
from ..training.evaluation import BATCH, HeadAccuracy, centre_views
from ..training.fitted import FitSettings, FittedHeads
from ..training.head_fitting import fit_head, fresh_head, measure_head, room_for
from ..training.recipe import TrainingConfig
from .probes import Features


@dataclass(frozen=True)
class Seen:
    """n labelled images: head -> (n, C, 4, 4) float16 that its average pool gives; what probes see, if asked for."""

    maps: dict[HeadName, Tensor]
    labels: Tensor
    features: Features | None


def look(
    classifier: Classifier,
    images: LabelledImages,
    heads: Sequence[HeadName],
    folder: Path,
    *,
    probes: bool,
    batch: int = BATCH,
    workers: int = 0,
    progress: Progress | None = None,
) -> Seen:
    """One pass over the images' centre views; maps that are too many for the memory lie in `folder`.

    Behind the last head's module nothing is computed, unless probes want it.
    """
    spec = classifier.checkpoint.spec
    modules = {aux.after: aux.name for aux in spec.aux if aux.name in heads}
    last = [name for name in spec.module_names if probes or name in modules][-1]
    maps = room_for({head: spec.block(name).out_channels for name, head in modules.items()}, len(images), folder)
    means: dict[str, list[Tensor]] = {name: [] for name in spec.module_names}
    labels: list[Tensor] = []
    done = 0
    views = centre_views(images, classifier.preprocessing, batch=batch, device=classifier.device, workers=workers)
    for x, truth in views:
        with torch.no_grad():
            for name, output in classifier.network.trunk(classifier.to_input(x)):
                if name in modules:
                    pooled = classifier.network.aux_head(modules[name]).pool(output)
                    maps[modules[name]][done : done + len(truth)] = pooled.half().cpu()
                if probes:
                    means[name].append(output.float().mean(dim=(2, 3)).half().cpu())
                if name == last:
                    break
        labels.append(truth)
        done += len(truth)
        if progress is not None:
            progress(done, len(images))
    truths = torch.cat(labels)
    features = Features({name: torch.cat(parts) for name, parts in means.items()}, truths) if probes else None
    return Seen(maps, truths, features)


def fit_heads(
    classifier: Classifier,
    training: Seen,
    held_out: Seen,
    config: TrainingConfig,
    source: str,
    progress: Progress | None = None,
) -> FittedHeads:
    """A head for every map that was looked at, measured on the held-out images as it will be stored.

    Raises TrainingError where the loss is no number any more. `progress` counts the steps of all heads.
    """
    spec = classifier.checkpoint.spec
    state: dict[str, Tensor] = {}
    accuracy: dict[HeadName, HeadAccuracy] = {}
    for number, (name, maps) in enumerate(training.maps.items()):

        def tell(done: int, steps: int, before: int = number) -> None:
            if progress is not None:
                progress(before * steps + done, len(training.maps) * steps)

        start = fresh_head(spec, name, config.seed)
        head = fit_head(start, maps, training.labels, config, classifier.device, tell)
        accuracy[name] = measure_head(head, held_out.maps[name], held_out.labels)
        state |= {f"{name}.{key}": value for key, value in head.state_dict().items()}
    return FittedHeads(
        checkpoint=classifier.checkpoint.sha256,
        accuracy={head: accuracy[head] for head in spec.heads if head in accuracy},
        training=len(training.labels),
        held_out=len(held_out.labels),
        classes=len(np.unique(training.labels)),
        settings=FitSettings(config.stages[0].epochs, config.batch, config.lr, config.seed),
        source=source,
        state=state,
    )


def accuracy_before(classifier: Classifier, held_out: Seen) -> dict[HeadName, HeadAccuracy]:
    """Of those of the looked-at heads that came trained: how right they are on the same images."""
    known = {head: maps for head, maps in held_out.maps.items() if head in classifier.trained_heads}
    network = classifier.checkpoint.network()
    return {head: measure_head(network.aux_head(head), maps, held_out.labels) for head, maps in known.items()}
