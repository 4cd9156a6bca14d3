"""What the page Why asks the library: questions as plain, comparable data, the maps that answer them, their checks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from app.jobs.background import Job
from app.state import measures, network, options, session
from app.state.panel import Panel
from inception_model.analysis.quadrature import ADAPTIVE, START
from inception_model.architecture.spec import HeadName
from inception_model.attribution import METHODS, Attribution, baseline_images, explain
from inception_model.attribution.explaining import NOISE_IMAGES
from inception_model.drawing.numbers import short
from inception_model.images.baselines import DEFAULT_BASELINE
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Progress
from inception_model.trust import Badge, Evidence, evidence

QUICK_COST = 5
"""Forward passes that nobody notices: such a map appears at once."""


def target_of(panel: Panel, head: HeadName, kind: str) -> Target:
    """What the choices of the page Why mean at a head: `auto` its answer, `class` the named class, `contrast` that one
    rather than the other; unnamed ones are its first and second. Raises TargetError for what names no class."""
    logits, labels = panel.trace().logits(head)[0], network.checkpoint().labels
    if kind == "auto":
        return Target.parse("auto", labels, logits)
    best, second = (str(index) for index in logits.topk(2).indices.tolist())
    first = Target.parse(session.option(options.WHY_CLASS) or best, labels, logits)
    if kind == "class" or first.minus is not None:
        return first
    other = Target.parse(session.option(options.WHY_MINUS) or second, labels, logits)
    return Target.parse(f"{first.index}-{other.index}", labels, logits)


@dataclass(frozen=True)
class Question:
    """Everything that decides a map of a photo; what the method does not need is None."""

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
    def baselines(self) -> int:
        """A noisy baseline is several images, and as many maps."""
        return NOISE_IMAGES if self.baseline == "noise" else 1

    @property
    def cost(self) -> float:
        """In forward passes of one image, at most."""
        return self.baselines * METHODS[self.method].cost(dict(self.options), network.checkpoint().preprocessing.size)

    @property
    def least_cost(self) -> float:
        """In forward passes of one image, at least: an adaptive rule may be done with its first places."""
        images = START if dict(self.options).get("rule") == ADAPTIVE else None
        side = network.checkpoint().preprocessing.size
        return self.baselines * METHODS[self.method].cost(dict(self.options), side, images)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What has a pace of its own: the method, its layer, and those of its options that are no sizes."""
        named = (option.name for option in METHODS[self.method].options if option.choices)
        return self.method, self.layer, tuple(dict(self.options)[name] for name in named)

    def work_of(self, found: Attribution, side: int) -> float:
        """In forward passes of one image of that side, what the map took."""
        images = None if found.integration is None else found.integration.gradients // self.baselines
        row = METHODS[self.method]
        return self.baselines * row.cost(found.options, side, images)

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


def attribution_job(panel: Panel, question: Question) -> Job:
    """The map of a panel's photo."""
    photo, estimates = panel.photo, network.service().estimates

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Attribution:
        found = explain(
            twin,
            twin.prepare(photo.image, photo.square),
            question.method,
            question.head,
            question.target,
            layer=question.layer,
            baseline=question.baseline or DEFAULT_BASELINE,
            options=dict(question.options),
            progress=progress,
            cancel=cancel,
        )
        measures.EXPLANATIONS.observe(found.seconds)
        estimates.learn(question.kind, question.work_of(found, twin.preprocessing.size), found.seconds)
        return found

    return Job(question.key, compute)


def seconds_of(question: Question) -> tuple[float, float]:
    """How long the map will take here, at least and at most: by the method's own last maps, where there are some."""
    estimates = network.service().estimates
    least, most = (estimates.seconds(question.kind, work) for work in (question.least_cost, question.cost))
    return least, most


def check_key(question: Question, name: str) -> tuple[Any, ...]:
    """Under which a check of a map is remembered."""
    return "why", "check", question, name


def check_job(panel: Panel, question: Question, attribution: Attribution, name: str) -> Job:
    """One check of a map of a panel's photo."""
    photo = panel.photo

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Evidence:
        x = twin.prepare(photo.image, photo.square)
        return evidence(twin, x, attribution, (name,), progress=progress, cancel=cancel).evidence[0]

    return Job(check_key(question, name), compute)


def known_badge(panel: Panel, question: Question, attribution: Attribution, names: tuple[str, ...]) -> Badge:
    """The checks of a map that are known by now; completeness always is, it needs no pass through the network."""
    classifier = network.service().classifier
    panel.remember(
        check_key(question, "completeness"),
        lambda: evidence(
            classifier, classifier.prepare(panel.photo.image, panel.photo.square), attribution, ("completeness",)
        ).evidence[0],
    )
    found = (panel.recall(check_key(question, name)) for name in names)
    return Badge(tuple(piece for piece in found if piece is not None), attribution.empty)


def baseline_picture(panel: Panel, name: str, side: int = 112) -> Image.Image:
    """A baseline of a panel's photo as one sees it; of noise, the first image."""

    def draw() -> Image.Image:
        classifier = network.service().classifier
        x = classifier.preprocessing(panel.photo.image, panel.photo.square)
        pixels = classifier.preprocessing.denormalise(baseline_images(name, x, classifier)[:1].float().cpu())[0]
        square = (pixels.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return Image.fromarray(square).resize((side, side), Image.Resampling.BILINEAR)

    return panel.remember(("why", "baseline", name, side), draw)


def words_of(target: Target) -> str:
    """A target with the first synonym of each class: `tabby`, or `tabby − Egyptian cat`."""
    labels = [target.index] if target.minus is None else [target.index, target.minus]
    return " − ".join(short(network.label(index)) for index in labels)


def cost_words(passes: float) -> str:
    """What so many forward passes of one image mean here."""
    return _time_words((passes, passes), (passes * network.service().pass_seconds(),) * 2)


def map_words(questions: Sequence[Question]) -> str:
    """What these maps take, in forward passes of one image and in seconds on this machine."""
    work = sum(question.least_cost for question in questions), sum(question.cost for question in questions)
    least, most = (sum(ends) for ends in zip(*map(seconds_of, questions), strict=True))
    return _time_words(work, (least, most))


def _time_words(passes: tuple[float, float], seconds: tuple[float, float]) -> str:
    """Least and most of both in a sentence; once where they read alike."""
    long, about = (
        low if low == high else f"{low} to {high}"
        for low, high in ([f"{end:.0f}" for end in passes], [_seconds(end) for end in seconds])
    )
    return f"As long as {long} forward {'pass' if long == '1' else 'passes'}, here about {about} s."


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
