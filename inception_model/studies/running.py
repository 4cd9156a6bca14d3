"""Carries a study out: every variant with every seed, each a training run that goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..architecture.weights import init_weights
from ..images.preprocessing import Preprocessing
from ..training.data import DatasetError, LabelledImages
from ..training.objective import Trainable, gradient_norm, losses
from ..training.recipe import LATER, Stage, TrainingConfig
from ..training.run_folder import LOG, read_log
from ..training.trainer import Trainer
from .registry import STUDIES, Study, Variant
from .results import Points, Run, StudyResults

MEASURED_STEPS = 20
"""How often in a run gradients are measured, at even distances."""
PACE_STEPS = 5
"""Steps of every variant that are timed, in turns, before the first run where all train for the same time."""


@dataclass(frozen=True)
class Plan:
    """All that a study is given. `data`: the hash of both lists of images; `width`: part of the networks' own."""

    study: str
    classes: int
    training: LabelledImages
    measured: LabelledImages
    data: str
    width: float
    config: TrainingConfig
    device: torch.device
    workers: int = 0

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.config.stages[-1].size

    @property
    def what(self) -> Study:
        """The study by its name; raises KeyError that lists them."""
        if self.study not in STUDIES:
            raise KeyError(f"unknown study {self.study!r}; allowed: {', '.join(STUDIES)}")
        return STUDIES[self.study]

    def variants(self) -> tuple[Variant, ...]:
        """What is trained."""
        return self.what.variants(self.classes, self.size, self.width)

    def settings(self) -> dict[str, object]:
        """All that decides the result but the seeds, as plain JSON."""
        config = json.loads(json.dumps(asdict(self.config)))
        for name in ("seed", "spec", "aux_weight", "holdout"):
            del config[name]
        for name in LATER:  # a study that was begun before they existed goes on
            if config[name] == getattr(TrainingConfig(), name):
                del config[name]
        return {
            "data": self.data,
            "classes": self.classes,
            "images": len(self.training),
            "measured": len(self.measured),
            "width": self.width,
            "device": self.device.type,
            **config,
        }


def run_study(
    plan: Plan,
    seeds: Sequence[int],
    file: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[Run, int, int], None] = lambda *_: None,
) -> StudyResults:
    """Trains whatever `file` does not hold yet, seed by seed, and adds every run to it.

    `told(run, done, all)` after each run. Raises StoppedError where `stop` says so (the run is saved in a folder beside
    the file, and the same call goes on), DatasetError where the file is of other settings or there are no images to
    measure on, and TrainingError where a run diverges.
    """
    if not len(plan.measured):
        raise DatasetError("there are no images to measure on")
    if not seeds:
        raise ValueError("a study needs at least one seed")
    variants = plan.variants()
    fresh = StudyResults(
        plan.study,
        plan.what.base,
        plan.settings(),
        {variant.name: variant.cost for variant in variants},
        {variant.name: variant.series for variant in variants},
        file=file,
    )
    found = fresh.goes_on()
    if plan.what.equal == "time" and not found.pace:
        found.pace = measured_pace(variants, plan)
    found.save()
    done = {(run.seed, run.variant) for run in found.runs}
    todo = [(seed, variant) for seed in seeds for variant in variants]
    for number, (seed, variant) in enumerate(todo, 1):
        if (seed, variant.name) in done:
            continue
        folder = file.with_name(f"{file.stem}.runs") / f"{seed}-{variants.index(variant)}"
        found.runs.append(_train(plan, variant, seed, found, folder, stop))
        found.save()
        shutil.rmtree(folder, ignore_errors=True)
        told(found.runs[-1], number, len(todo))
    shutil.rmtree(file.with_name(f"{file.stem}.runs"), ignore_errors=True)
    return found


def _train(plan: Plan, variant: Variant, seed: int, found: StudyResults, folder: Path, stop: Callable[[], bool]) -> Run:
    """One run, from where its folder has it."""
    share = found.pace[found.base] / found.pace[variant.name] if found.pace else 1.0
    weight = plan.config.aux_weight if variant.aux_weight is None else variant.aux_weight
    stages = tuple(Stage(stage.size, stage.epochs * share) for stage in plan.config.stages)
    config = dataclasses.replace(plan.config, seed=seed, aux_weight=weight, stages=stages)
    network = init_weights(variant.build(), seed, config.initialisation)
    trainer = Trainer(
        network, plan.training, plan.measured, folder, config, plan.device,
        workers=plan.workers, stop=stop, watch=_watch(plan.what.watched),
    )  # fmt: skip
    trainer.resume()
    trainer.run()
    log = read_log(folder / LOG)
    right = trainer.accuracy["main"]
    curve = {row["step"]: row["held_out"]["main"]["top1"] for row in log if "held_out" in row}
    gradients: dict[str, Points] = {
        module: tuple(sorted({row["step"]: row["gradients"][module] for row in log if "gradients" in row}.items()))
        for module in plan.what.watched
    }
    return Run(
        variant.name, seed, right["top1"], right["top5"], trainer.step, round(trainer.seconds, 1),
        tuple(sorted(curve.items())), gradients,
    )  # fmt: skip


def _watch(modules: Sequence[str]) -> Callable[[Trainer[Trainable]], None]:
    """Logs the gradients' norms of these modules; a step that is done again after a stop is logged again."""

    def watch(trainer: Trainer[Trainable]) -> None:
        if modules and trainer.step % max(1, trainer.total_steps // MEASURED_STEPS) == 0:
            norms = {name: gradient_norm(trainer.network.get_submodule(name)) for name in modules}
            trainer.folder.log({"step": trainer.step, "gradients": norms})

    return watch


def measured_pace(variants: Sequence[Variant], plan: Plan) -> dict[str, float]:
    """Variant -> seconds that a step takes here: the median of some, each variant in turn, on random pixels."""
    networks = {variant.name: init_weights(variant.build(), 0).to(plan.device).train() for variant in variants}
    pixels = torch.rand(plan.config.batch, 3, plan.size, plan.size, device=plan.device)
    x = Preprocessing().normalise(pixels).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(plan.config.batch, dtype=torch.long, device=plan.device)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(PACE_STEPS + 1):
        for name, network in networks.items():
            network.to(memory_format=torch.channels_last)
            started = time.perf_counter()
            loss = losses(network.forward_heads(x), labels, 0.0, plan.config.aux_weight)
            torch.autograd.backward(loss)
            if plan.device.type == "cuda":
                torch.cuda.synchronize(plan.device)
            seconds[name].append(time.perf_counter() - started)
            network.zero_grad(set_to_none=True)
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first one warms up
