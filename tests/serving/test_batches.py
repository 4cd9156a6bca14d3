"""Passes that arrive together are one batch, with the numbers of each alone; who arrives alone waits for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from torch import Tensor

from inception_model.images.samples import sample_photos
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import Trace, capture
from inception_model.progress import Cancelled
from inception_model.serving import batches
from inception_model.serving.batches import Batches
from inception_model.serving.service import InferenceService, Place
from inception_model.serving.sizes import bytes_of
from inception_model.serving.waiter import Waiter
from inception_model.serving.workers import TurnMissedError, hook_count
from tests.serving.threads import wait_until


class Held:
    """While it is used, a first pass is inside the network until `release`; others gather behind it."""

    def __init__(self, classifier: Classifier, passes: Batches, x: Tensor) -> None:
        self.classifier, self.passes = classifier, passes
        self.inside, self.release = threading.Event(), threading.Event()
        self.threads = list[threading.Thread]()
        self.first = threading.Thread(target=passes.trace, args=(lambda: x, Waiter("first")))

    def __enter__(self) -> Held:
        def hold(*_: object) -> None:
            self.inside.set()
            assert self.release.wait(20)

        self.handle = self.classifier.network.block("3a").register_forward_pre_hook(hold)
        self.first.start()
        assert self.inside.wait(20)
        return self

    def ask(self, work: Callable[[], object]) -> None:
        """In a thread of its own; returns once it waits."""
        before = self.passes.waiting
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        wait_until(lambda: self.passes.waiting == before + 1)

    def __exit__(self, *_: object) -> None:
        self.release.set()
        for thread in (self.first, *self.threads):
            thread.join(20)
        self.handle.remove()


@pytest.fixture
def sizes() -> list[float]:
    """How many images each batch had."""
    return []


@pytest.fixture
def passes(tiny_classifier: Classifier, sizes: list[float]) -> Iterator[Batches]:
    yield Batches(tiny_classifier, most=3, lanes=1, sizes=sizes.append)
    assert hook_count(tiny_classifier.network) == 0


def nodes(trace: Trace) -> dict[str, Tensor]:
    found = {f"{name}/{node}": tensor for name, block in trace.blocks.items() for node, tensor in block.nodes()}
    return found | {head: trace.logits(head) for head in trace.heads.present}


def test_a_batch_gives_each_photo_the_numbers_that_it_has_alone(
    tiny_classifier: Classifier, images: Tensor, relative: Callable[[Tensor, Tensor], float]
) -> None:
    alone = [capture(tiny_classifier, image[None]) for image in images]
    split = capture(tiny_classifier, images).split()
    assert len(split) == 4
    for i, (found, wanted) in enumerate(zip(split, alone, strict=True)):
        mine, theirs = nodes(found), nodes(wanted)
        assert mine.keys() == theirs.keys()
        for name, tensor in mine.items():
            assert relative(tensor, theirs[name]) < 1e-5, (i, name)
        assert found.temperatures == wanted.temperatures
        assert found.untrained == wanted.untrained
        # A cache that counts whole storages must not count those of the others.
        assert bytes_of(found) == pytest.approx(bytes_of(wanted), rel=0.01)
    assert relative(split[0].heads.main, split[1].heads.main) > 1e-3


def test_what_gathers_while_a_pass_runs_is_one_batch_and_everybody_gets_their_own(
    tiny_classifier: Classifier, passes: Batches, images: Tensor, sizes: list[float],
    relative: Callable[[Tensor, Tensor], float],
) -> None:  # fmt: skip
    found = dict[int, Trace]()
    with Held(tiny_classifier, passes, images[:1]) as held:
        for i in (3, 1, 2):
            held.ask(lambda i=i: found.update({i: passes.trace(lambda: images[i : i + 1], Waiter(i))}))
    assert sizes == [1, 3]
    for i, trace in found.items():
        assert relative(trace.heads.main, capture(tiny_classifier, images[i : i + 1]).heads.main) < 1e-5
    assert len(found) == 3


def test_a_batch_takes_users_in_turn(
    tiny_classifier: Classifier, images: Tensor, sizes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, order = Batches(tiny_classifier, most=2, lanes=1, sizes=sizes.append), list[list[float]]()
    original = batches.capture

    def noted(classifier: Classifier, x: Tensor) -> Trace:
        order.append([float(row[0, 0, 0]) for row in x])
        return original(classifier, x)

    monkeypatch.setattr(batches, "capture", noted)
    marked = {name: images[:1] * 0 + i for i, name in enumerate(("ada 1", "ada 2", "ada 3", "bob 1", "cyd 1"))}
    with Held(tiny_classifier, passes, images[:1]) as held:
        for name, x in marked.items():
            held.ask(lambda name=name, x=x: passes.trace(lambda: x, Waiter(name[:3])))
    assert order[1:] == [[0, 3], [4, 1], [2]], "ada, bob; cyd, ada; ada"
    assert sizes == [1, 2, 2, 1]


def test_who_is_alone_waits_for_nobody_and_who_is_not_for_those_on_their_way(
    tiny_classifier: Classifier, images: Tensor, sizes: list[float]
) -> None:
    passes = Batches(tiny_classifier, most=4, lanes=1, window=30.0, sizes=sizes.append)
    started = time.monotonic()
    passes.trace(lambda: images[:1], Waiter())
    assert time.monotonic() - started < 15
    preparing, prepared = threading.Event(), threading.Event()

    def slowly() -> Tensor:
        preparing.set()
        assert prepared.wait(20)
        return images[1:2]

    second = threading.Thread(target=passes.trace, args=(slowly, Waiter("second")))
    second.start()
    assert preparing.wait(20)
    first = threading.Thread(target=passes.trace, args=(lambda: images[:1], Waiter("first")))
    first.start()
    wait_until(lambda: passes._running == 1)
    prepared.set()
    first.join(20)
    second.join(20)
    assert sizes == [1, 2]


def test_who_leaves_the_line_or_misses_the_turn_is_not_computed(
    tiny_classifier: Classifier, passes: Batches, images: Tensor, sizes: list[float]
) -> None:
    said, leave, places = list[str](), threading.Event(), list[Place | None]()

    def ask(waiter: Waiter) -> None:
        try:
            passes.trace(lambda: images[1:2], waiter)
        except (Cancelled, TurnMissedError) as error:
            said.append(type(error).__name__)

    with Held(tiny_classifier, passes, images[:1]) as held:
        held.ask(lambda: ask(Waiter("leaves", cancel=leave, line=places.append)))
        held.ask(lambda: ask(Waiter("stays", line=places.append)))
        wait_until(lambda: {place.position for place in places if place} == {1, 2})
        leave.set()
        wait_until(lambda: said == ["Cancelled"] and Place(1) in places)
        held.threads.append(threading.Thread(target=ask, args=(Waiter("late", since=-(10.0**9)),)))
        held.threads[-1].start()
        wait_until(lambda: said == ["Cancelled", "TurnMissedError"])
        assert passes.waiting == 1
    assert sizes == [1, 1]


def test_what_is_wrong_with_one_image_is_not_the_others(
    tiny_classifier: Classifier, passes: Batches, images: Tensor
) -> None:
    found, wrong = list[Trace](), list[BaseException]()

    def ask(x: Tensor) -> None:
        try:
            found.append(passes.trace(lambda: x, Waiter()))
        except RuntimeError as error:
            wrong.append(error)

    with Held(tiny_classifier, passes, images[:1]) as held:
        for x in (images[1:2], images[2:3, :2]):
            held.ask(lambda x=x: ask(x))
    assert len(found) == len(wrong) == 1


def test_half_precision_would_round_otherwise_in_a_batch_and_has_none(
    tiny_classifier: Classifier, images: Tensor, sizes: list[float]
) -> None:
    half = build(tiny_classifier.checkpoint, "cpu", "bfloat16")
    passes = Batches(half, most=4, lanes=1, sizes=sizes.append)
    with Held(half, passes, half.to_input(images[:1])) as held:
        for i in (1, 2):
            held.ask(lambda i=i: passes.trace(lambda: half.to_input(images[i : i + 1]), Waiter(i)))
    assert sizes == [1, 1, 1]


def test_looks_of_a_service_are_batched_and_equal_ones_made_once(
    tiny_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, seen = list[float](), list[float]()
    service = InferenceService(tiny_classifier, looked=seen.append, batched=sizes.append)
    monkeypatch.setattr(service, "_passes", Batches(tiny_classifier, most=4, lanes=1, sizes=sizes.append))
    photos = [*sample_photos()[:3], sample_photos()[0]]
    found = dict[int, object]()
    with Held(tiny_classifier, service._passes, service.classifier.prepare(photos[0].image)) as held:
        threads = [
            threading.Thread(target=lambda i=i: found.update({i: service.look(photos[i], user=i)})) for i in range(4)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: service.looks_waiting == 3)
        held.threads += threads
    assert sizes == [1, 3]
    assert len(seen) == 3
    assert found[0] is found[3]
    service.close()
