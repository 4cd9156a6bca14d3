"""The network of a session: one run of a page looks it up once, and still sees what changes."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from app.state import network
from inception_model.serving.service import InferenceService


def test_a_run_looks_its_network_up_once_and_again_when_something_changes(
    small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[Any] = []
    chosen, now = ["tiny-imagenet"], [100.0]

    def use(key: Any, who: Any, load: Any) -> InferenceService:
        keys.append(key)
        return small

    monkeypatch.setattr(network, "_LATELY", threading.local())
    monkeypatch.setattr(network.NETWORKS, "use", use)
    monkeypatch.setattr(network, "settings", lambda: (chosen[0], "cpu", "float32"))
    monkeypatch.setattr(network.time, "monotonic", lambda: now[0])
    assert {network.service() for _ in range(50)} == {small}
    assert len(keys) == 1
    chosen[0] = "other"
    network.service()
    assert [key[0] for key in keys] == ["tiny-imagenet", "other"]
    now[0] += network.FRESH
    network.service()
    assert len(keys) == 3
    thread = threading.Thread(target=network.service)
    thread.start()
    thread.join()
    assert len(keys) == 4


def test_a_network_that_had_to_go_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        pass

    made: list[Gone] = []

    def use(key: Any, who: Any, load: Any) -> Any:
        made.append(Gone())
        return made[-1]

    monkeypatch.setattr(network, "_LATELY", threading.local())
    monkeypatch.setattr(network.NETWORKS, "use", use)
    monkeypatch.setattr(network, "settings", lambda: ("tiny-imagenet", "cpu", "float32"))
    first = id(network.service())
    made.clear()
    gc.collect()
    found = network.service()
    assert made == [found], first
