"""Remembered answers: computed once for many threads, the oldest forgotten, failures not kept."""

from __future__ import annotations

import contextlib
import threading

import pytest

from inception_model.images.decode import Photo
from inception_model.serving.cache import LRUCache
from inception_model.serving.service import InferenceService
from tests.serving.threads import wait_until


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
