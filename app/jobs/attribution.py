"""What the page Why asks the library: questions as plain, comparable data, and the calculations that answer them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from app import state
from app.figures.head_cards import short
from app.jobs.background import Compute
from inception_model.analysis.ablation import Fill, channel_means, sweep
from inception_model.analysis.conductance import ExactSplit, credit_ledger, exact_split
from inception_model.architecture.spec import HeadName
from inception_model.attribution import METHODS, Attribution, baseline_images, explain
from inception_model.attribution.explaining import NOISE_IMAGES
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Progress
from inception_model.trust import Badge, Evidence, evidence

QUICK_COST = 4
"""Forward passes that nobody notices: such a map appears at once."""


def target_of(head: HeadName, kind: str) -> Target:
    """What the choices of the page Why mean at a head: `auto` its answer, `class` the named class, `contrast` that one
    rather than the other; unnamed ones are its first and second. Raises TargetError for what names no class."""
    logits, labels = state.trace().logits(head)[0], state.checkpoint().labels
    if kind == "auto":
        return Target.parse("auto", labels, logits)
    best, second = (str(index) for index in logits.topk(2).indices.tolist())
    first = Target.parse(state.option("why.class", None) or best, labels, logits)
    if kind == "class" or first.minus is not None:
        return first
    other = Target.parse(state.option("why.minus", None) or second, labels, logits)
    return Target.parse(f"{first.index}-{other.index}", labels, logits)


@dataclass(frozen=True)
class Question:
    """Everything that decides a map of the current photo; what the method does not need is None."""

    method: str
    head: HeadName
    target: Target
    layer: str | None = None
    baseline: str | None = None
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> tuple[str, str, Question]:
        """Under which the map is remembered."""
        return "why", "map", self

    @property
    def cost(self) -> float:
        """In forward passes of one image; a noisy baseline is several images."""
        times = NOISE_IMAGES if self.baseline == "noise" else 1
        return times * METHODS[self.method].cost(dict(self.options), state.checkpoint().preprocessing.size)

    @property
    def quick(self) -> bool:
        """Whether the page may wait for it."""
        return self.cost <= QUICK_COST


def ask(
    method: str,
    head: HeadName,
    target: Target,
    layer: str | None,
    baseline_name: str,
    options: Mapping[str, Any] | None = None,
) -> Question:
    """A question with only what the method needs; missing options take their defaults."""
    row = METHODS[method]
    chosen = row.defaults | dict(options or {})
    return Question(
        method,
        head,
        target,
        layer if "layer" in row.needs else None,
        baseline_name if "baseline" in row.needs else None,
        tuple((option.name, chosen[option.name]) for option in row.options),
    )


def explaining(question: Question) -> Compute:
    """The calculation of a map of the current photo."""
    image = state.current_photo().image

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Attribution:
        return explain(
            twin,
            twin.prepare(image),
            question.method,
            question.head,
            question.target,
            layer=question.layer,
            baseline=question.baseline or "black",
            options=dict(question.options),
            progress=progress,
            cancel=cancel,
        )

    return compute


def check_key(question: Question, name: str) -> tuple[Any, ...]:
    """Under which a check of a map is remembered."""
    return "why", "check", question, name


def checking(attribution: Attribution, name: str) -> Compute:
    """The calculation of one check of a map of the current photo."""
    image = state.current_photo().image

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Evidence:
        x = twin.prepare(image)
        return evidence(twin, x, attribution, (name,), progress=progress, cancel=cancel).evidence[0]

    return compute


def known_badge(question: Question, attribution: Attribution, names: tuple[str, ...]) -> Badge:
    """The checks of a map that are known by now; completeness always is, it needs no pass through the network."""
    classifier = state.service().classifier
    state.remember(
        check_key(question, "completeness"),
        lambda: evidence(
            classifier, classifier.prepare(state.current_photo().image), attribution, ("completeness",)
        ).evidence[0],
    )
    found = (state.recall(check_key(question, name)) for name in names)
    return Badge(tuple(piece for piece in found if piece is not None))


def split_of(target: Target) -> ExactSplit:
    """5b's exact split of the main score."""
    return state.remember(
        ("why", "split", target), lambda: exact_split(state.service().classifier, state.trace(), target)
    )


def keeping(head: HeadName, target: Target, baseline_name: str, steps: int) -> Compute:
    """The calculation of the credit ledger of the current photo; of noise, one image is the baseline."""
    image = state.current_photo().image

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Any:
        x = twin.preprocessing(image)
        start = baseline(baseline_name, x, twin.preprocessing)
        return credit_ledger(twin, x, start, target, head, steps=steps, progress=progress, cancel=cancel)

    return compute


def sweeping(fill: Fill) -> Compute:
    """The calculation that switches off every branch, one at a time."""
    trace, means = state.trace(), blurred_means() if fill == "mean" else None

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Any:
        return sweep(twin, trace, fill, means, progress=progress, cancel=cancel)

    return compute


def blurred_means() -> Any:
    """Module -> every channel's mean over the blurred photo: what the fill `mean` puts in."""
    image = state.current_photo().image

    def means(twin: Classifier) -> Any:
        x = twin.preprocessing(image)
        return channel_means(twin, baseline("blur", x, twin.preprocessing))

    return state.remember(("ablation", "means"), lambda: state.service().run(means))


def baseline_picture(name: str, side: int = 112) -> Image.Image:
    """A baseline of the current photo as one sees it; of noise, the first image."""

    def draw() -> Image.Image:
        classifier = state.service().classifier
        x = classifier.preprocessing(state.current_photo().image)
        pixels = classifier.preprocessing.denormalise(baseline_images(name, x, classifier)[:1].float().cpu())[0]
        square = (pixels.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return Image.fromarray(square).resize((side, side), Image.Resampling.BILINEAR)

    return state.remember(("why", "baseline", name, side), draw)


def words_of(target: Target) -> str:
    """A target with the first synonym of each class: `tabby`, or `tabby − Egyptian cat`."""
    labels = [target.index] if target.minus is None else [target.index, target.minus]
    return " − ".join(short(state.checkpoint().label(index).words) for index in labels)
