"""Every long computation of the app asks often enough whether to go on, and stops where nobody waits any more."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs import (
    ablation,
    attribution,
    conductance,
    first_answers,
    fooling,
    looks_for,
    patching,
    report,
    stimuli,
    vote,
)
from app.jobs.background import Job
from app.jobs.looks_for import Wanted
from app.state import network, photos, session
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module.looks_for import KINDS, STEPS
from inception_model.attribution import METHODS
from inception_model.images.samples import sample_photo
from inception_model.images.stimuli import FAMILIES
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Cancelled
from inception_model.report import Settings
from inception_model.robustness.asking import AttackQuestion
from inception_model.serving import job as serving
from inception_model.serving.job import stops_when_given_up
from inception_model.serving.service import InferenceService
from inception_model.trust import CHECKS

JOBS = Path(__file__).resolve().parents[3] / "app" / "jobs"
LONGEST, PASSES = 1.0, 10
"""Seconds of this thread's own processor time between two questions; on a processor on which so many looks at a photo
take longer, that time."""
ENOUGH = 1.5
"""Seconds after which the work is given up: whatever loops has begun to do so."""
SOON = 0.5
"""The same for the jobs of EARLY."""
EARLY = frozenset({
    *(f"attribution_job {method}" for method in ("occlusion", "superpixels")),
    *(f"check_job {name}" for name in ("insertion", "deletion", "randomisation", "infidelity", "sensitivity")),
    *("conductance_job", "report_job", "strengths_job", "attack_job", "vote_job"),
    *(f"looks_for_job {kind}" for kind in KINDS),
})  # fmt: skip
"""Jobs that after SOON do nothing but what they have begun by then, as far as ENOUGH lets one see."""

Make = Callable[[Panel, Target], Job]


class Watched(threading.Event):
    """Whether a job is given up: so after `enough` seconds. Remembers the longest time in which nobody asked."""

    def __init__(self, enough: float) -> None:
        super().__init__()
        self.enough = enough
        self.begun = self.last = time.thread_time()
        self.longest = 0.0

    def is_set(self) -> bool:
        now = time.thread_time()
        self.longest, self.last = max(self.longest, now - self.last), now
        return now - self.begun > self.enough


@pytest.fixture(scope="module")
def bundled(bundled_classifier: Classifier) -> Iterator[InferenceService]:
    """The bundled network, whose passes take as long as those of visitors."""
    service = InferenceService(bundled_classifier, twins=1)
    yield service
    service.close()


@pytest.fixture(scope="module")
def longest(bundled: InferenceService) -> float:
    """Seconds of processor time that may pass between two questions here."""
    image, took = bundled.classifier.prepare(photos.first_photo().image), []
    for _ in range(3):
        begun = time.thread_time()
        bundled.classifier.heads_of(image)
        took.append(time.thread_time() - begun)
    return max(LONGEST, PASSES * min(took))


@pytest.fixture
def panel(bundled: InferenceService, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """The cat on the bundled network; the session is a dictionary."""
    kept: dict[str, Any] = {}
    monkeypatch.setattr(network, "service", lambda: bundled)
    monkeypatch.setattr(session, "get", lambda name, default: kept.get(name, default))
    monkeypatch.setattr(session, "put", kept.__setitem__)
    return Panel(photos.first_photo())


def of_method(method: str) -> Make:
    return lambda panel, target: attribution.attribution_job(
        panel, attribution.ask(method, "main", target, "5b", "black")
    )


def of_check(name: str) -> Make:
    def make(panel: Panel, target: Target) -> Job:
        question = attribution.ask("gradcam", "main", target, "5b", "black")
        gradcam = attribution.attribution_job(panel, question)
        found = panel.ask(question.key, lambda twin: gradcam.compute(twin, lambda *_: None, threading.Event()))
        return attribution.check_job(panel, question, found, name)

    return make


def of_two_photos(panel: Panel, target: Target) -> Job:
    other = Panel(sample_photo("rocket"), "beside")
    return patching.patching_job(panel, other, "main", patching.goal_of(panel, other, "main", target))


WORK: dict[str, Make] = {
    **{f"attribution_job {method}": of_method(method) for method in METHODS},
    **{f"check_job {name}": of_check(name) for name in CHECKS},
    "conductance_job": lambda panel, target: conductance.conductance_job(
        panel, "main", target, "black", conductance.Cut(200, 0.1, 2000)
    ),
    "sweep_job": lambda panel, target: ablation.sweep_job(panel, "zero"),
    "patching_job": of_two_photos,
    "report_job": lambda panel, target: report.report_job(panel, Settings(head="main", module="4d"), None, None),
    **{
        f"tuning_job {family}": lambda panel, target, family=family: stimuli.tuning_job(  # type: ignore[misc]
            "5b", family, next(iter(FAMILIES[family].RANGES)), {}
        )
        for family in FAMILIES
    },
    "summary_job": lambda panel, target: stimuli.summary_job("5b"),
    "strengths_job": lambda panel, target: fooling.strengths_job(panel, "rotation"),
    "attack_job": lambda panel, target: fooling.attack_job(panel, AttackQuestion("main"), None),
    "vote_job": lambda panel, target: vote.vote_job(panel),
    **{
        f"looks_for_job {kind}": lambda panel, target, kind=kind: looks_for.looks_for_job(  # type: ignore[misc]
            Unit("4d", "5x5", 17, 0, 0), Wanted(kind, max(STEPS))
        )
        for kind in KINDS
    },
    "first_answers_job": lambda panel, target: first_answers.first_answers_job(sample_photo("rocket")),
}
"""A job of every kind, in the size in which visitors ask for it or larger."""


@pytest.mark.parametrize("name", WORK)
def test_work_asks_within_a_second_whether_to_go_on(
    name: str, panel: Panel, bundled: InferenceService, longest: float
) -> None:
    target = Target.parse("auto", bundled.classifier.checkpoint.labels, panel.trace().logits("main")[0])
    enough = SOON if name in EARLY else ENOUGH
    made, watched, asked = WORK[name](panel, target), Watched(enough), serving.Job(lambda twin, job: None)
    asked.given_up = watched
    try:
        with stops_when_given_up(asked):
            made.compute(bundled.classifier.twin(), asked.report, watched)
    except Cancelled:
        assert time.thread_time() - watched.begun > enough
    silence = max(watched.longest, time.thread_time() - watched.last)
    assert silence < longest, f"nobody asked for {silence:.2f} s of {longest:.2f}"


def test_every_kind_of_job_is_among_them() -> None:
    made = {
        function.name
        for path in JOBS.glob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        and ast.unparse(function.returns or ast.Constant(None)) == "Job"
        and not function.name.startswith("_")
    }
    assert made == {name.split()[0] for name in WORK}
    assert set(WORK) >= EARLY
