"""Work that several callers wait for: it goes on as long as one of them does, and ends with the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving.service import InferenceService
from tests.serving.threads import wait_until


class Caller(threading.Thread):
    """Asks in a thread of its own, and leaves when told to."""

    def __init__(self, service: InferenceService, work: Callable[..., Any], key: str = "key", **options: Any) -> None:
        super().__init__(daemon=True)
        self.leave, self.found, self.error = threading.Event(), None, None  # type: ignore[var-annotated]
        self.told = list[tuple[int, int]]()
        self.ask = lambda: service.share(
            key, work, cancel=self.leave, progress=lambda *steps: self.told.append(steps), **options
        )
        self.start()

    def run(self) -> None:
        try:
            self.found = self.ask()
        except BaseException as error:
            self.error = error


class Steps:
    """Work of many steps that goes on until it is let go; how often it began, and whether it was stopped."""

    def __init__(self) -> None:
        self.begun, self.stopped, self.go = 0, threading.Event(), threading.Event()

    def __call__(self, twin: Classifier, progress: Progress, cancel: threading.Event) -> str:
        self.begun += 1
        try:
            for step in range(10**9):
                progress(step, 10**9)
                if self.go.wait(0.005):
                    return "done"
        except Cancelled:
            self.stopped.set()
            assert cancel.is_set()
            raise
        raise AssertionError


def waiting(service: InferenceService, key: str = "key") -> int:
    job = service._shared.get(key)
    return 0 if job is None else job.waiting


def test_a_shared_job_goes_on_while_one_waits_and_ends_with_the_last(service: InferenceService) -> None:
    steps = Steps()
    first, second = Caller(service, steps), Caller(service, steps)
    wait_until(lambda: waiting(service) == 2 and bool(first.told) and bool(second.told))
    first.leave.set()
    first.join(20)
    assert isinstance(first.error, Cancelled)
    seen = len(second.told)
    wait_until(lambda: len(second.told) > seen + 3)
    assert not steps.stopped.is_set()
    assert service.load == (1, 0)
    second.leave.set()
    assert steps.stopped.wait(20)
    wait_until(lambda: service.load == (0, 0))
    assert steps.begun == 1
    assert service.recall("key") is None
    assert not service._shared


def test_all_who_wait_get_the_one_answer_and_it_is_remembered(service: InferenceService) -> None:
    steps = Steps()
    callers = [Caller(service, steps) for _ in range(4)]
    wait_until(lambda: waiting(service) == 4)
    callers[0].leave.set()
    steps.go.set()
    for caller in callers:
        caller.join(20)
    assert [caller.found for caller in callers[1:]] == ["done"] * 3
    assert service.recall("key") == service.share("key", steps) == "done"
    assert steps.begun == 1
    assert not service._shared


def test_work_that_was_given_up_is_not_joined(service: InferenceService) -> None:
    stop, again = threading.Event(), Steps()

    def stubborn(twin: Classifier, progress: Progress, cancel: threading.Event) -> str:
        assert stop.wait(20)
        return "late"

    first = Caller(service, stubborn)
    wait_until(lambda: service.load == (1, 0))
    first.leave.set()
    first.join(20)
    second = Caller(service, again)
    wait_until(lambda: service.load == (1, 1))
    again.go.set()
    stop.set()
    second.join(20)
    assert second.found in ("done", "late")
    assert second.error is None


def test_a_failure_reaches_all_and_the_next_one_tries_anew(service: InferenceService) -> None:
    go = threading.Event()

    def fail(twin: Classifier, progress: Progress, cancel: threading.Event) -> str:
        assert go.wait(20)
        raise ZeroDivisionError("on purpose")

    callers = [Caller(service, fail) for _ in range(2)]
    wait_until(lambda: waiting(service) == 2)
    go.set()
    for caller in callers:
        caller.join(20)
        assert isinstance(caller.error, ZeroDivisionError)
    assert service.share("key", lambda twin, progress, cancel: "well") == "well"


def test_others_are_untouched_when_one_leaves(service: InferenceService) -> None:
    mine, theirs = Steps(), Steps()
    leaving = Caller(service, mine, "mine")
    wait_until(lambda: service.load == (1, 0))
    staying = Caller(service, theirs, "theirs")
    wait_until(lambda: service.load == (1, 1))
    leaving.leave.set()
    assert mine.stopped.wait(20)
    theirs.go.set()
    staying.join(20)
    assert staying.found == "done"


def test_work_of_low_priority_hurries_when_somebody_waits_for_it(service: InferenceService) -> None:
    steps, release = Steps(), threading.Event()
    blocking = threading.Thread(target=service.run, args=(lambda _: release.wait(20),))
    blocking.start()
    wait_until(lambda: service.load == (1, 0))
    patient = Caller(service, steps, low_priority=True)
    wait_until(lambda: service.load == (1, 1))
    urgent = Caller(service, steps)
    wait_until(lambda: waiting(service) == 2)
    assert steps.begun == 0
    release.set()
    wait_until(lambda: bool(urgent.told))
    # It no longer pauses for other work, on whichever worker it runs.
    with service._workers.first():
        seen = len(urgent.told)
        wait_until(lambda: len(urgent.told) > seen + 3)
    steps.go.set()
    for caller in (patient, urgent):
        caller.join(20)
        assert caller.found == "done"
    blocking.join(20)


def test_a_poll_that_raises_ends_the_wait_and_the_work(service: InferenceService) -> None:
    steps, polls = Steps(), list[int]()

    def poll() -> None:
        polls.append(1)
        if len(polls) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.share("key", steps, poll=poll)
    assert steps.stopped.wait(20)
    wait_until(lambda: service.load == (0, 0))
    with pytest.raises(KeyboardInterrupt):
        service.run(lambda twin: steps(twin, lambda *_: None, threading.Event()), poll=poll)


def test_a_gradient_stops_on_its_way_back(service: InferenceService) -> None:
    """Between the passes of two modules, not only between two whole gradients."""
    cancel, modules = threading.Event(), list[str]()

    def gradient(twin: Classifier, progress: Progress, stop: threading.Event) -> None:
        x = torch.zeros(1, 3, 224, 224, requires_grad=True)
        twin = twin.twin()  # as methods do that hook it
        for name in ("5b", "4a", "3a"):
            twin.network.block(name).register_full_backward_hook(lambda *_, name=name: modules.append(name))

        def leave(_: torch.Tensor) -> None:
            cancel.set()
            assert stop.wait(20)

        scores = twin.network(x)
        scores.register_hook(leave)
        scores.sum().backward()

    with pytest.raises(Cancelled):
        service.share("key", gradient, cancel=cancel)
    wait_until(lambda: service.load == (0, 0))
    assert modules == []
