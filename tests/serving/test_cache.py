"""Remembered answers: computed once for many threads, bounded in bytes, failures not kept."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.images.decode import Photo
from inception_model.serving.cache import LRUCache
from inception_model.serving.service import InferenceService
from inception_model.serving.sizes import bytes_of
from tests.serving.threads import wait_until


def test_looks_are_remembered_by_the_photos_hash(service: InferenceService, cat: Photo) -> None:
    assert service.look(cat) is service.look(Photo(cat.image, cat.sha256, "another name"))
    assert service.look(cat).trace.heads.main.shape == (1, 7)


def test_cache_forgets_the_oldest_and_computes_once_for_many_threads() -> None:
    cache, calls, barrier, waiting = LRUCache(250), list[str](), threading.Barrier(6), threading.Event()

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
    wait_until(lambda: (None, "key") in cache._busy and cache._busy[None, "key"].threads == 6)
    waiting.set()
    for thread in threads:
        thread.join()
    assert calls == ["computed"]
    for key in "abc":
        cache.get(key, lambda: bytes(100))
    assert len(cache) == 1
    assert cache.peek("c") == bytes(100)
    assert cache.get("key", slow) == "answer"
    assert len(calls) == 2


def test_cache_remembers_no_failures_and_keeps_no_lock_of_them() -> None:
    cache = LRUCache(1000)
    for key in range(200):
        with pytest.raises(ZeroDivisionError):
            cache.get(key, lambda: 1 // 0)
    assert not cache._busy
    assert cache.get(0, lambda: 1) == 1
    assert not cache._busy


def test_cache_lets_those_who_waited_for_a_failure_try_one_at_a_time() -> None:
    cache, tries, entered, fail = LRUCache(1000), list[int](), threading.Event(), threading.Event()
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
    wait_until(lambda: cache._busy[None, "key"].threads == 4)
    fail.set()
    for thread in threads:
        thread.join(20)
    assert (cache.peek("key"), len(tries), most) == (3, 3, 1)
    assert not cache._busy


def stored(value: object) -> int:
    """Bytes of all storages that a value's tensors lie in, by torch's own file format, which holds each once."""
    file = io.BytesIO()
    torch.save(value, file)
    with zipfile.ZipFile(file) as parts:
        return sum(part.file_size for part in parts.infolist() if "/data/" in part.filename)


def test_a_trace_counts_with_the_storages_of_its_tensors(service: InferenceService, cat: Photo) -> None:
    trace = service.look(cat).trace
    tensors = [tensor for block in trace.blocks.values() for _, tensor in block.nodes()]
    logits = [trace.logits(head) for head in trace.heads.present]
    counted = stored([*tensors, *logits])
    assert counted < sum(tensor.nbytes for tensor in tensors), "an input is the output of the module before"
    assert counted <= bytes_of(trace) < counted + 50_000, "the rest is what Python needs for the names"


@dataclass
class Answer:
    """What an answer may be made of."""

    parts: dict[str, object]


def test_a_view_counts_with_all_that_it_keeps_alive() -> None:
    whole, array = torch.zeros(1000, 1000), np.zeros((500, 1000))
    views: dict[str, object] = {"one": whole[:1], "two": whole[5:, 7], "array": array[3], "again": array.T}
    views["lent"] = whole[:2].numpy()
    size = bytes_of(Answer(views))
    assert whole.nbytes + array.nbytes <= size < whole.nbytes + array.nbytes + 5000


def test_pictures_and_texts_count() -> None:
    picture = Image.new("RGB", (300, 200))
    assert 300 * 200 * 4 <= bytes_of([picture, picture]) < 300 * 200 * 4 + 500
    assert 300 * 200 <= bytes_of((picture.convert("L"),)) < 300 * 200 + 500
    assert 10_000 <= bytes_of({"text": "x" * 10_000}) < 11_000


def test_the_bytes_of_a_cache_are_those_of_what_it_holds_and_stay_below_its_limit() -> None:
    cache, known = LRUCache(10_000), dict[int, bytes]()
    for number in range(50):
        known[number] = bytes(100 * (number % 7 + 1))
        cache.put(number, known[number], group=number % 2)
        held = [n for n in known if cache.peek(n, n % 2) is not None]
        assert cache.used == sum(bytes_of(known[n]) for n in held) <= 10_000
        assert held == list(range(held[0], number + 1)), "the oldest go first"
    assert 10_000 - cache.used < 1000
    cache.put(49, bytes(10), group=1)
    cache.drop(48, group=0)
    cache.drop_group(0)
    odd = [n for n in known if cache.peek(n, n % 2) is not None]
    assert odd
    assert all(n % 2 for n in odd)
    assert cache.used == sum(bytes_of(cache.peek(n, 1)) for n in odd)
    cache.drop_group(1)
    assert (cache.used, len(cache)) == (0, 0)


def test_what_is_asked_for_stays_and_what_is_only_looked_at_does_not() -> None:
    size = bytes_of(bytes(100))
    cache = LRUCache(3 * size)
    for key in "abc":
        cache.put(key, bytes(100))
    assert cache.peek("a") == cache.touch("b") == bytes(100)
    cache.put("d", bytes(100))
    assert [key for key in "abcd" if cache.peek(key) is not None] == ["b", "c", "d"]


COLLECTED = """
import gc, weakref
from inception_model.serving.cache import LRUCache

class Held:
    pass

cache = LRUCache(10**9)
for number in range(2000):
    gc.set_threshold(1 + number % 7)  # the garbage collector runs in the middle of everything
    held = Held()
    held.itself = held  # only the collector finds that nobody needs it
    aside = [[] for _ in range(number % 3)]
    cache.put(number, b"value")
    cache.put((number,), b"stays")  # what is kept is no memory to be used again, which the collector would not see
    weakref.finalize(held, cache.drop_soon, number).atexit = False
del held
gc.collect()
print(len(cache))
"""


def test_a_finalizer_may_run_while_its_thread_is_inside_the_cache() -> None:
    found = subprocess.run([sys.executable, "-c", COLLECTED], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() == ["2000"]


def test_who_waits_for_an_equal_look_waits_as_they_said(
    service: InferenceService, cat: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, inside, release = Photo(cat.image, "held", "held"), threading.Event(), threading.Event()
    of_looks = service._passes.trace

    def held(*what: object) -> object:
        inside.set()
        assert release.wait(20)
        return of_looks(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(service._passes, "trace", held)
    first = threading.Thread(target=service.look, args=(photo,))
    first.start()
    try:
        assert inside.wait(20)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            service.look(photo, timeout=0.2)
        with pytest.raises(ZeroDivisionError):
            service.look(photo, poll=lambda: 1 // 0)
        assert time.monotonic() - started < 0.5
    finally:
        release.set()
        first.join(20)
    assert service.known_look(photo.key) is not None
    assert not service._memory._busy


def test_an_answer_larger_than_the_cache_is_there_for_the_one_who_asked() -> None:
    cache = LRUCache(1000)
    cache.put("small", bytes(10))
    assert len(cache.get("large", lambda: bytes(5000))) == len(cache.peek("large")) == 5000
    assert len(cache) == 1
    cache.put("small", bytes(10))
    assert cache.peek("large") is None


def test_services_share_a_cache_and_not_their_answers(service: InferenceService) -> None:
    memory = LRUCache(10_000)
    one, two = (InferenceService(service.classifier, twins=1, memory=memory) for _ in range(2))
    assert one.remember("key", lambda: "one") == "one"
    assert two.remember("key", lambda: "two") == "two"
    assert (one.recall("key"), two.recall("key"), len(memory)) == ("one", "two", 2)
    one.close()
    assert (one.recall("key"), two.recall("key"), len(memory)) == (None, "two", 1)
    two.close()
