"""The service: exclusive twins, a bounded queue, cancellation that frees its place."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from torch import Tensor

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving.service import BusyError, InferenceService, hook_count
from tests.serving.threads import forever, occupy, wait_until

Relative = Callable[[Tensor, Tensor], float]


def guided(classifier: Classifier, x: Tensor, barrier: threading.Barrier | None = None) -> Tensor:
    """A gradient through hooks that change it: what goes wrong when two threads share hooks."""
    handles = [
        unit.relu.register_full_backward_hook(lambda _, grad, __: (grad[0].clamp_min(0),))
        for _, unit in classifier.network.conv_units()
    ]
    if barrier is not None:
        barrier.wait(timeout=20)
    try:
        x = x.clone().requires_grad_()
        classifier.network(x).max().backward()
        assert x.grad is not None
        return x.grad
    finally:
        for handle in handles:
            handle.remove()


def test_two_threads_with_hooks_equal_serial_results(
    tiny_classifier: Classifier, images: Tensor, relative: Relative
) -> None:
    wanted = [guided(tiny_classifier.twin(), images[i : i + 1]) for i in range(2)]
    assert relative(wanted[0], wanted[1]) > 0.1
    service = InferenceService(tiny_classifier, twins=2)
    barrier, found = threading.Barrier(2), dict[int, Tensor]()

    def ask(i: int) -> None:
        found[i] = service.run(guided, images[i : i + 1], barrier)

    for _ in range(3):
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(relative(found[i], wanted[i]) for i in range(2)) < 1e-5
    assert hook_count(tiny_classifier.network) == 0
    service.close()


def test_a_full_queue_is_said_and_recovers(service: InferenceService) -> None:
    release = threading.Event()
    threads = occupy(service, release)
    with pytest.raises(BusyError, match="all 2 places"):
        service.run(lambda _: None)
    release.set()
    for thread in threads:
        thread.join()
    assert service.run(lambda _: "free again") == "free again"


def test_cancelling_a_waiting_request_frees_its_place_at_once(service: InferenceService) -> None:
    release, cancel = threading.Event(), threading.Event()
    threads = occupy(service, release)[:2]
    extra = threading.Event()
    with service._workers.changed:  # room for one more, as if a request with a cancel button had just been taken
        service._workers._places = 3
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            service.run(lambda _: extra.set(), cancel=cancel)
        except Cancelled as error:
            outcome.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    wait_until(lambda: service.load == (1, 3))
    cancel.set()
    asker.join(timeout=5)
    assert service.load == (1, 2)
    assert len(outcome) == 1
    release.set()
    for thread in threads:
        thread.join()
    assert not extra.is_set(), "cancelled work must never start"


def test_cancelling_running_work_frees_the_worker(service: InferenceService) -> None:
    started, cancel = threading.Event(), threading.Event()
    threading.Thread(target=lambda: (started.wait(20), cancel.set())).start()
    with pytest.raises(Cancelled):
        service.run(forever, started, cancel=cancel)
    assert service.run(lambda _: "next", timeout=20) == "next"


def test_a_timeout_frees_the_worker(service: InferenceService) -> None:
    with pytest.raises(TimeoutError, match=r"not done after 0\.2 s"):
        service.run(forever, threading.Event(), timeout=0.2)
    assert service.run(lambda _: "next", timeout=20) == "next"


def test_a_caller_that_is_interrupted_frees_the_worker(service: InferenceService) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def steps(classifier: Classifier, progress: Progress) -> None:
        while True:
            progress(1, 2)

    with pytest.raises(KeyboardInterrupt):
        service.run(steps, progress=stop)
    assert service.run(lambda _: "next", timeout=20) == "next"


def test_progress_comes_in_the_callers_thread(service: InferenceService) -> None:
    told: list[tuple[int, int, int]] = []
    seen = threading.Event()

    def steps(classifier: Classifier, progress: Progress) -> str:
        progress(1, 2)
        assert seen.wait(20)
        return threading.current_thread().name

    def note(done: int, total: int) -> None:
        told.append((done, total, threading.get_ident()))
        seen.set()

    assert service.run(steps, progress=note) != threading.current_thread().name
    assert told == [(1, 2, threading.get_ident())]


def test_work_that_fails_leaves_no_hooks_to_the_next(service: InferenceService) -> None:
    def leave_hooks(classifier: Classifier) -> None:
        classifier.network.classifier.register_forward_hook(lambda *_: None)
        raise ZeroDivisionError("on purpose")

    def count(classifier: Classifier) -> int:
        assert classifier.network is not service.classifier.network
        # The service's own: one on the network and one on each of its parts.
        return hook_count(classifier.network)

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        service.run(leave_hooks)
    assert service.run(count) == 0
    assert hook_count(service.classifier.network) == 0


def test_a_closed_service_says_so(tiny_classifier: Classifier) -> None:
    service = InferenceService(tiny_classifier)
    service.close()
    with pytest.raises(Cancelled, match="closed"):
        service.run(lambda _: None)


def test_leaving_stops_what_runs_and_what_waits(tiny_classifier: Classifier) -> None:
    service, started, said = InferenceService(tiny_classifier, twins=1), threading.Event(), list[str]()

    def ask(work: Callable[[Classifier], object]) -> None:
        try:
            service.run(work)
        except Cancelled as error:
            said.append(str(error))

    works = (lambda twin: forever(twin, started), lambda _: None)
    asked = [threading.Thread(target=ask, args=(work,)) for work in works]
    asked[0].start()
    assert started.wait(20)
    asked[1].start()
    wait_until(lambda: service.load == (1, 1))
    service.shutdown()
    for thread in asked:
        thread.join(20)
    assert not any(worker.is_alive() for worker in service._workers._threads)
    assert sorted(said) == ["nobody waits for this result any more", "the service was closed"]


def test_twins_inherit_no_hook_of_a_look_that_goes_on(service: InferenceService, cat: Photo) -> None:
    inside, release = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        inside.set()
        assert release.wait(20)

    def count(classifier: Classifier) -> int:
        return hook_count(classifier.network)  # the service's own

    with service.classifier.network.block("4a").register_forward_pre_hook(hold):
        looking = threading.Thread(target=service.look, args=(cat,))
        looking.start()
        assert inside.wait(20)
        assert hook_count(service.classifier.network) > 60
        try:
            assert service.run(count, timeout=20) == 0
            assert service.run(lambda twin: hook_count(twin.twin().network), timeout=20) == 0
        finally:
            release.set()
            looking.join(20)


@pytest.mark.parametrize("what", ["remember", "run"])
def test_work_may_not_wait_for_other_work(service: InferenceService, what: str) -> None:
    def ask(_: Classifier) -> object:
        return service.remember("key", lambda: 1) if what == "remember" else service.run(lambda _: 1)

    for low_priority in (False, True):
        with pytest.raises(RuntimeError, match=f"{what} was called by work that already runs on a worker"):
            service.run(ask, low_priority=low_priority, timeout=20)
    assert service.recall("key") is None
    assert service.remember("key", lambda: service.run(lambda _: 1)) == 1
