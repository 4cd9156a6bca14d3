"""`explain`: one image, one head, one target, one method -> an Attribution."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..analysis.quadrature import Integration, joined
from ..architecture.address import Part, modules_seen
from ..architecture.spec import DEFAULT_HEAD, HeadName
from ..drawing.colormaps import STEPS, TABLES, full_scale
from ..drawing.colormaps import signed as signed_colours
from ..drawing.encoding import data_url, png_bytes
from ..drawing.notebook import render
from ..images.baselines import DEFAULT_BASELINE
from ..images.baselines import baseline as make_baseline
from ..inference.classifier import Classifier
from ..inference.targets import AUTO, Target
from ..progress import Progress
from .lrp.conservation import Conservation
from .methods import METHODS, Method
from .options import AttributionError, check_places, read_options
from .task import Clock, Task

NOISE_IMAGES = 4
"""Images of noise that the baseline `noise` averages over."""


@dataclass(frozen=True)
class Attribution:
    """What a method says about one image, signed, on the CPU in float32.

    `values`: (C, H, W) of the network's image (C is 3, or 1 where all colours were covered together), or (C, h, w) of
    a layer; `heatmap`: their sum over C. `score` and `baseline_score`: logits, or a difference of two; the latter is
    the mean over `baselines` (B, 3, S, S) in normalised values, both None where the method needs none.
    `complete`: the values must add up to score - baseline_score. `integration`: how the path from the baseline was
    integrated, None for a method without one. `conservation`: where the score went, for a method that accounts for all
    of it.
    """

    method: str
    head: HeadName
    target: Target
    layer: str | None
    baseline: str | None
    options: dict[str, Any]
    values: Tensor = field(repr=False)
    heatmap: Tensor = field(repr=False)
    baselines: Tensor | None = field(repr=False)
    score: float
    baseline_score: float | None
    complete: bool
    seconds: float
    integration: Integration | None = None
    conservation: Conservation | None = field(default=None, repr=False)

    @property
    def total(self) -> float:
        """The sum of all values."""
        return float(self.values.double().sum())

    @property
    def delta(self) -> float | None:
        """What the sum misses: total - (score - baseline_score), where the method promises that it is zero."""
        if not self.complete or self.baseline_score is None:
            return None
        return self.total - (self.score - self.baseline_score)

    @property
    def completeness_error(self) -> float | None:
        """`delta` as a share of |score - baseline_score|; None where nothing is promised."""
        if self.delta is None or self.baseline_score is None:
            return None
        return abs(self.delta) / max(abs(self.score - self.baseline_score), 1e-12)

    @property
    def empty(self) -> bool:
        """Whether the map is the same everywhere (mostly zero): it points nowhere."""
        return bool(self.heatmap.max() == self.heatmap.min())

    @property
    def all_negative(self) -> bool:
        """Whether no position speaks for the target."""
        return bool((self.heatmap <= 0).all()) and bool((self.heatmap < 0).any())

    @property
    def all_positive(self) -> bool:
        """Whether no position speaks against the target, and none is without a say."""
        return bool((self.heatmap > 0).all())

    @property
    def note(self) -> str:
        """What a reader must know about this very map; empty where there is nothing."""
        if self.empty and not self.all_negative:
            why = " GradCAM has no positive position here, and this method keeps nothing else." * (
                self.method == "guided_gradcam"
            )
            return f"This map is empty: it is {float(self.heatmap.flatten()[0]):.3g} everywhere and says nothing.{why}"
        if self.layer is not None and self.all_positive and not self.empty:
            return (
                f"Every position of this map is positive: at {self.layer} all of the photo speaks for "
                f"{self.target.name}, the weakest position {float(self.heatmap.min() / self.heatmap.max()):.0%} as "
                "much as the strongest. Only where it is strongest tells places apart."
            )
        if self.layer is None or not self.all_negative:
            return ""
        return (
            f"Every position of this map is negative: at {self.layer} nothing speaks for {self.target.name}, so its "
            f"score of {self.score:+.2f} comes from elsewhere (biases, or other branches). With negative values cut "
            "off, as GradCAM is usually drawn, the map would be empty."
        )

    def _repr_html_(self) -> str:
        """For notebooks: the heatmap, one pixel per position, beside what was asked and the numbers."""
        heatmap = self.heatmap.numpy()
        scale = full_scale(heatmap)
        stops = TABLES["signed"][np.linspace(0, STEPS - 1, 9).round().astype(int)]
        contrast = "" if self.target.minus is None else f" − class {self.target.minus}"
        return render(
            "attribution",
            found=self,
            target=self.target.name or f"class {self.target.index}{contrast}",
            picture=data_url(png_bytes(Image.fromarray(signed_colours(heatmap, scale)))),
            size=heatmap.shape,
            lowest=float(heatmap.min()),
            highest=float(heatmap.max()),
            scale=scale,
            colours=[f"rgb({red},{green},{blue})" for red, green, blue in stops.tolist()],
        )


def explain(
    classifier: Classifier,
    x: Tensor,
    method: str,
    head: str = DEFAULT_HEAD,
    target: str | int | Target = AUTO,
    *,
    layer: str | None = None,
    baseline: str = DEFAULT_BASELINE,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Attribution:
    """Attributes the score of `target` at `head` to one image (1, 3, S, S), normalised.

    `layer`: MODULE or MODULE:BRANCH for methods that need one (default: the last module before the head). `baseline`:
    black, mean, blur or noise, for methods that need one. `progress` counts images passed through the network;
    setting `cancel` raises Cancelled before the next batch. Safe on a Classifier that other threads use: whatever is
    hooked is a twin. Raises AttributionError, TargetError or KeyError that list what is allowed.
    """
    started = time.perf_counter()
    row = find_method(method)
    trained = trained_head(classifier, head)
    chosen = read_options(row.options, options or {})
    check_places(row.options, chosen, classifier.network.spec, trained)
    part = read_layer(row, classifier, trained, layer)
    image = _one_image(x).to(classifier.device, torch.promote_types(classifier.dtype, torch.float32))
    baselines = baseline_images(baseline, image, classifier) if "baseline" in row.needs else image[:0]
    goal, scores, activation = _scores(classifier, torch.cat([image, baselines]), trained, target, part)
    # Without a need for a baseline the image stands in its place: no such method looks at it.
    starts = list(torch.split(baselines, 1)) if len(baselines) else [image]
    clock = Clock(row.images(chosen, image.shape[-1]) * len(starts), progress, cancel)
    tasks = [Task(classifier, image, start, trained, goal, part, chosen, clock, activation) for start in starts]
    found = [row.run(task) for task in tasks]
    clock.finish()
    values = torch.cat(found).detach().float().mean(0).cpu().contiguous()
    return Attribution(
        row.name,
        trained,
        goal,
        None if part is None else str(part),
        baseline if len(baselines) else None,
        chosen,
        values,
        values.sum(0),
        baselines.cpu() if len(baselines) else None,
        scores[0],
        sum(scores[1:]) / len(baselines) if len(baselines) else None,
        row.promises_sum(classifier.network.spec, part),
        time.perf_counter() - started,
        joined([part for task in tasks for part in task.integrations]),
        tasks[0].conservation[0] if tasks[0].conservation else None,
    )


def _scores(
    classifier: Classifier, images: Tensor, head: HeadName, target: str | int | Target, part: Part | None
) -> tuple[Target, list[float], Tensor | None]:
    """The target, read with the first image's logits, its score for every image, and the first one's activation at
    the layer's module."""
    seen: list[Tensor] = []

    def watch(name: str, output: Tensor) -> Tensor:
        if part is not None and name == part.module:
            seen.append(output[:1])
        return output

    with torch.inference_mode():  # lets one image on the CPU use the weights that are packed ahead
        logits = classifier.network.head_logits(classifier.to_input(images), head, visit=watch).double().cpu()
    goal = target if isinstance(target, Target) else Target.parse(str(target), classifier.checkpoint.labels, logits[0])
    # Only a copy made outside of inference mode may be differentiated.
    return goal, goal.score(logits).tolist(), seen[0].clone() if seen else None


def find_method(name: str) -> Method:
    """The method of that name; raises AttributionError that lists the allowed ones."""
    if name not in METHODS:
        raise AttributionError(f"unknown method {name!r}; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def baseline_images(name: str, x: Tensor, classifier: Classifier) -> Tensor:
    """(B, 3, S, S), normalised: one image, or several of noise, over which attributions are averaged."""
    several = x.expand(NOISE_IMAGES, -1, -1, -1) if name == "noise" else x
    return make_baseline(name, several, classifier.preprocessing)


def allowed_layers(classifier: Classifier, head: HeadName) -> tuple[str, ...]:
    """Modules that a head depends on; each also takes `:BRANCH`."""
    return modules_seen(classifier.network.spec, head)


def read_layer(method: Method, classifier: Classifier, head: HeadName, layer: str | None) -> Part | None:
    """The layer that was asked for, or the last module before the head; None where the method takes none."""
    if "layer" not in method.needs:
        if layer is not None:
            raise AttributionError(f"{method.name} explains the image itself and takes no layer; leave {layer!r} out")
        return None
    allowed = allowed_layers(classifier, head)
    part = Part.parse(layer or allowed[-1], classifier.network.spec)
    if part.module not in allowed:
        raise AttributionError(f"the head {head} does not depend on {part.module}; allowed: {', '.join(allowed)}")
    return part


def trained_head(classifier: Classifier, head: str) -> HeadName:
    """The head of that name; raises AttributionError where it is not there or was never trained."""
    for name in classifier.trained_heads:
        if name == head:
            return name
    state = "was never trained" if head in classifier.heads else "is not there"
    raise AttributionError(
        f"the head {head!r} of {classifier.checkpoint.name} {state}, so there is nothing to explain; "
        f"allowed: {', '.join(classifier.trained_heads)}"
    )


def _one_image(x: Tensor) -> Tensor:
    if x.ndim != 4 or x.shape[:2] != (1, 3) or x.shape[2] != x.shape[3]:
        raise AttributionError(f"one image (1, 3, S, S) is explained at a time; got {tuple(x.shape)}")
    return x.detach()
