"""Where the memory is not enough for one, that one is told so and the others go on."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest
import torch
from PIL import Image

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving import batches
from inception_model.serving.service import BusyError, InferenceService
from inception_model.serving.workers import hook_count
from tests.serving.threads import wait_until


def too_much(_: Classifier) -> object:
    return torch.empty(2**60, dtype=torch.uint8)


def simulated(_: Classifier) -> object:
    raise MemoryError


@pytest.mark.parametrize("work", [too_much, simulated])
def test_work_without_memory_says_so_and_others_go_on(
    service: InferenceService, work: Callable[[Classifier], object]
) -> None:
    go, found = threading.Event(), list[str]()

    def wait(_: Classifier) -> str:
        assert go.wait(20)
        return "done"

    other = threading.Thread(target=lambda: found.append(service.run(wait, low_priority=True)))
    other.start()
    wait_until(lambda: service.load == (1, 0))
    with pytest.raises(BusyError, match="memory of this machine was not enough"):
        service.run(work)
    go.set()
    other.join(20)
    assert found == ["done"]
    with pytest.raises(BusyError, match="memory of this machine was not enough"):
        service.share("key", lambda twin, progress, cancel: work(twin))
    assert service.share("key", lambda twin, progress, cancel: "now there is") == "now there is"


def test_a_look_without_memory_is_told_and_made_when_there_is_some(
    service: InferenceService, cat: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture, other = batches.capture, Photo(Image.new("RGB", (40, 30)), "other", "other")

    def once(classifier: Classifier, x: torch.Tensor) -> object:
        monkeypatch.setattr(batches, "capture", capture)
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(batches, "capture", once)
    with pytest.raises(BusyError, match="try again"):
        service.look(cat)
    assert service.look(other).sha256 == "other"
    assert service.look(cat).sha256 == cat.sha256
    assert hook_count(service.classifier.network) == 0


class Marker:
    """What a frame holds as long as it is there."""


def test_a_gradient_that_stops_leaves_nothing_in_memory(service: InferenceService) -> None:
    """Its hooks hang in the graph of torch, where Python's collector doesn't see them: they must not hold the job."""
    left, cancel = list[weakref.ref[Marker]](), threading.Event()

    def gradient(twin: Classifier, progress: Progress, stop: threading.Event) -> None:
        marker = Marker()
        left.append(weakref.ref(marker))
        scores = twin.network(torch.zeros(1, 3, 224, 224, requires_grad=True))

        def leave(_: torch.Tensor) -> None:
            cancel.set()
            assert stop.wait(20)

        scores.register_hook(leave)
        scores.sum().backward()
        assert marker

    with pytest.raises(Cancelled):
        service.share("gradient", gradient, cancel=cancel)
    wait_until(lambda: service.load == (0, 0))
    gc.collect()
    assert [marker() for marker in left] == [None]


def test_other_errors_stay_what_they_are(service: InferenceService) -> None:
    with pytest.raises(RuntimeError, match="a size that is wrong"):
        service.run(lambda _: (_ for _ in ()).throw(RuntimeError("a size that is wrong")))
