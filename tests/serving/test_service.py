"""The service: exclusive twins, a bounded queue, cancellation that frees its place, remembered answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving.cache import LRUCache
from inception_model.serving.service import BusyError, InferenceService, hook_count

Relative = Callable[[Tensor, Tensor], float]


@pytest.fixture
def service(tiny_classifier: Classifier) -> Iterator[InferenceService]:
    service = InferenceService(tiny_classifier, twins=1, queue=2)
    yield service
    service.close()


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


def forever(classifier: Classifier, started: threading.Event) -> None:
    """Never ends by itself: one forward pass after the other."""
    started.set()
    while True:
        classifier.network(torch.zeros(1, 3, 224, 224))


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def occupy(service: InferenceService, release: threading.Event) -> list[threading.Thread]:
    """Takes the only twin and every place in the queue until released."""
    threads = [threading.Thread(target=service.run, args=(lambda _: release.wait(20),)) for _ in range(3)]
    threads[0].start()
    wait_until(lambda: service.load == (1, 0))
    for waiting, thread in enumerate(threads[1:], 1):
        thread.start()
        wait_until(lambda waiting=waiting: service.load == (1, waiting))
    return threads


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
    with service._changed:  # room for one more, as if a place had just been taken by a request with a cancel button
        service._places = 3
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
        return hook_count(classifier.network) - 1 - len(list(classifier.network.children()))

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
    assert not any(worker.is_alive() for worker in service._workers)
    assert sorted(said) == ["nobody waits for this result any more", "the service was closed"]


def start(service: InferenceService, work: Callable[[Classifier], object], **options: bool) -> threading.Thread:
    """The work in a thread of its own; whatever stops it is its caller's business."""

    def ask() -> None:
        with contextlib.suppress(Cancelled):
            service.run(work, **options)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_low_priority_work_pauses_between_batches_while_other_work_runs(tiny_classifier: Classifier) -> None:
    service, started, stop, passes = InferenceService(tiny_classifier, twins=1), threading.Event(), False, 0

    def patient(twin: Classifier) -> None:
        nonlocal passes
        while not stop:
            twin.network(torch.zeros(1, 3, 224, 224))
            passes += 1
            started.set()

    def urgent(twin: Classifier) -> int:
        before = passes
        for _ in range(5):
            twin.network(torch.zeros(1, 3, 224, 224))
        return passes - before

    thread = start(service, patient, low_priority=True)
    assert started.wait(20)
    # The pass that it was in may end; the next one does not begin. The only twin is lent to the other work at once.
    assert service.run(urgent, timeout=20) <= 1
    done = passes
    wait_until(lambda: passes > done)
    stop = True
    thread.join(20)
    assert not thread.is_alive()
    service.close()


@pytest.mark.parametrize(("twins", "at_once"), [(1, 1), (2, 1), (3, 2)])
def test_low_priority_work_leaves_a_twin_to_the_rest(tiny_classifier: Classifier, twins: int, at_once: int) -> None:
    service, release = InferenceService(tiny_classifier, twins=twins, queue=4), threading.Event()
    threads = [start(service, lambda _: release.wait(20), low_priority=True) for _ in range(4)]
    wait_until(lambda: service.load == (at_once, 4 - at_once))
    # None of them gives way by itself here, and still the other work is done at once.
    assert service.run(lambda _: "at once", timeout=20) == "at once"
    assert service.load == (at_once, 4 - at_once)
    release.set()
    for thread in threads:
        thread.join(20)
    service.close()


def test_low_priority_work_that_waits_takes_no_place_from_the_rest(tiny_classifier: Classifier) -> None:
    service, release = InferenceService(tiny_classifier, twins=1, queue=1), threading.Event()
    threads = [start(service, lambda _: release.wait(20), low_priority=True)]
    wait_until(lambda: service.load == (1, 0))
    threads.append(start(service, lambda _: None, low_priority=True))
    wait_until(lambda: service.load == (1, 1))
    with pytest.raises(BusyError, match="all 1 places"):
        service.run(lambda _: None, low_priority=True)
    threads.append(start(service, lambda _: release.wait(20)))
    wait_until(lambda: service.load == (2, 1))
    threads.append(start(service, lambda _: None))
    wait_until(lambda: service.load == (2, 2))
    release.set()
    for thread in threads:
        thread.join(20)
    service.close()


def test_urgent_work_is_taken_first(tiny_classifier: Classifier) -> None:
    service, order, release = InferenceService(tiny_classifier, twins=1), list[str](), threading.Event()
    threads = [start(service, lambda _: release.wait(20))]
    wait_until(lambda: service.load == (1, 0))
    for waiting, low_priority in enumerate((True, False), 1):
        name = "low_priority" if low_priority else "urgent"
        threads.append(start(service, lambda _, name=name: order.append(name), low_priority=low_priority))
        wait_until(lambda waiting=waiting: service.load == (1, waiting))
    release.set()
    for thread in threads:
        thread.join(20)
    assert order == ["urgent", "low_priority"]
    service.close()


def test_a_look_goes_before_low_priority_work(service: InferenceService, cat: Photo) -> None:
    inside, release, order = threading.Event(), threading.Event(), list[str]()

    def hold(*_: object) -> None:
        inside.set()
        assert release.wait(20)
        order.append("look")

    with service.classifier.network.block("3a").register_forward_pre_hook(hold):
        looking = threading.Thread(target=service.look, args=(cat,))
        looking.start()
        assert inside.wait(20)
        low = start(service, lambda _: order.append("low_priority"), low_priority=True)
        wait_until(lambda: service.load == (0, 1))
        release.set()
        looking.join(20)
        low.join(20)
    assert order == ["look", "low_priority"]


def test_twins_inherit_no_hook_of_a_look_that_goes_on(service: InferenceService, cat: Photo) -> None:
    inside, release = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        inside.set()
        assert release.wait(20)

    def count(classifier: Classifier) -> int:
        return hook_count(classifier.network) - 1 - len(list(classifier.network.children()))  # the service's own

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


def test_looks_are_remembered_by_the_photos_hash(service: InferenceService, cat: Photo) -> None:
    assert service.look(cat) is service.look(Photo(cat.image, cat.sha256, "another name"))
    assert service.look(cat).trace.heads.main.shape == (1, 7)


def test_cache_forgets_the_oldest_and_computes_once_for_many_threads() -> None:
    cache, calls, barrier, waiting = LRUCache(2), list[str](), threading.Barrier(6), threading.Event()

    def slow() -> str:
        calls.append("computed")
        assert waiting.wait(20)
        return "answer"

    def ask() -> None:
        barrier.wait(timeout=20)
        assert cache.get("key", slow) == "answer"

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: "key" in cache._busy and cache._busy["key"].threads == 6)
    waiting.set()
    for thread in threads:
        thread.join()
    assert calls == ["computed"]
    for key in "abc":
        cache.get(key, lambda: "x")
    assert len(cache) == 2
    assert cache.get("key", slow) == "answer"
    assert len(calls) == 2


def test_cache_remembers_no_failures_and_keeps_no_lock_of_them() -> None:
    cache = LRUCache(2)
    for key in range(50):
        with pytest.raises(ZeroDivisionError):
            cache.get(key, lambda: 1 // 0)
    assert not cache._busy
    assert cache.get(0, lambda: 1) == 1
    assert not cache._busy


def test_cache_lets_those_who_waited_for_a_failure_try_one_at_a_time() -> None:
    cache, tries, entered, fail = LRUCache(2), list[int](), threading.Event(), threading.Event()
    inside, most = 0, 0

    def compute() -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        tries.append(1)
        entered.set()
        try:
            assert fail.wait(20)
            if len(tries) < 3:
                raise ZeroDivisionError
            return len(tries)
        finally:
            inside -= 1

    def ask() -> None:
        with contextlib.suppress(ZeroDivisionError):
            cache.get("key", compute)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert entered.wait(20)
    wait_until(lambda: cache._busy["key"].threads == 4)
    fail.set()
    for thread in threads:
        thread.join(20)
    assert (cache.peek("key"), len(tries), most) == (3, 3, 1)
    assert not cache._busy
