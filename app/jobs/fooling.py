"""What turns the answers to a photo: disturbances in all strengths, one mixture of them, and attacks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from app.jobs.background import Job
from app.state import network, session
from app.state.options import of_disturbance
from app.state.panel import Panel
from inception_model.analysis.probes import Probes
from inception_model.architecture.spec import HeadName
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.images.disturbances import DISTURBANCES, disturbed
from inception_model.images.surroundings import Surroundings, surroundings
from inception_model.inference.classifier import Answer, Classifier
from inception_model.progress import Progress
from inception_model.robustness.asking import AttackQuestion, Fooled, fool
from inception_model.robustness.strengths import Strengths, ask_strengths

BEST = 2
"""Answers of a head that are told of a disturbed photo."""


@dataclass(frozen=True)
class Mixture:
    """A photo under several disturbances at once: the network's square as an address, and each trained head's first
    answers, most probable first."""

    square: str
    top: dict[HeadName, tuple[Answer, ...]]


def chosen_strengths() -> dict[str, float]:
    """The strengths on the sliders, without those that change nothing."""
    chosen = {name: session.option(of_disturbance(name)) for name in DISTURBANCES}
    return {name: value for name, value in chosen.items() if value != DISTURBANCES[name].clean}


def around_of(panel: Panel) -> Surroundings:
    """The network's square of a panel's photo with what lies around it."""
    photo, preprocessing = panel.photo, network.checkpoint().preprocessing
    return panel.remember(("fool", "around"), lambda: surroundings(photo.image, preprocessing, photo.square))


def mixture(panel: Panel, strengths: Mapping[str, float]) -> Mixture:
    """What the heads say to a panel's photo under these disturbances; at once, for it takes one pass."""
    around, classifier = around_of(panel), network.classifier()

    def ask() -> Mixture:
        square = disturbed(around, strengths)
        heads = classifier.heads_of(classifier.preprocessing.tensor(square))
        top = {head: tuple(classifier.top(heads.of(head)[0], head, BEST)) for head in classifier.trained_heads}
        return Mixture(data_url(png_bytes(square)), top)

    return panel.remember(("fool", "mixture", tuple(sorted(strengths.items())), network.raw()), ask)


def strengths_job(panel: Panel, name: str) -> Job:
    """The Strengths of one disturbance of a panel's photo."""
    around, raw = around_of(panel), network.raw()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Strengths:
        return ask_strengths(twin.raw() if raw else twin, around, name, progress=progress, cancel=cancel)

    return Job(("fool", "strengths", name, raw), compute)


def attack_job(panel: Panel, question: AttackQuestion, probes: Probes | None) -> Job:
    """What was Fooled on a panel's photo, which no disturbance has touched."""
    square, raw = around_of(panel).moved(), network.raw()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Fooled:
        return fool(twin.raw() if raw else twin, square, question, probes, progress=progress, cancel=cancel)

    return Job(("fool", "attack", question, probes, raw), compute)
