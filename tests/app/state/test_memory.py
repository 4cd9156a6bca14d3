"""What stays is passed over by the garbage collector, and what has become garbage since is not kept."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Iterator

import pytest

from app.state import memory


class Loop:
    """An object that only the collector can free: it refers to itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def from_the_start(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "_known", 0)
    yield
    gc.unfreeze()


def import_many(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    for number in range(count):
        monkeypatch.setitem(sys.modules, f"made_up_{number}", types.ModuleType(f"made_up_{number}"))


def test_what_stays_is_passed_over_until_much_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.settle()
    frozen = gc.get_freeze_count()
    assert len(gc.get_objects()) < frozen / 10, "a collection has little left to look at"
    import_many(monkeypatch, memory.NEW_MODULES - 1)
    assert not memory.settle()
    import_many(monkeypatch, memory.NEW_MODULES)
    assert memory.settle()


def test_garbage_of_the_time_between_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    gone = weakref.ref(loop)
    assert memory.settle()
    del loop
    gc.collect()
    assert gone() is not None, "it was frozen while it was in use"
    import_many(monkeypatch, memory.NEW_MODULES)
    assert memory.settle()
    assert gone() is None
