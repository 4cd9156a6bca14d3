"""Low priority work: it gives way to all other work and takes no place from it."""

from __future__ import annotations

import threading

import pytest
import torch

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.serving.service import BusyError, InferenceService
from tests.serving.threads import start, wait_until


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
