"""A report is saved as a whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from inception_model.report import ReportError, save


def test_saving_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    save("first", path)
    save("second ✓", path)
    assert path.read_text(encoding="utf-8") == "second ✓"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match="No space left on device"):
        save("third", path)
    assert path.read_text(encoding="utf-8") == "second ✓"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("place", "said"),
    [(lambda folder: folder, "is a folder"), (lambda folder: folder / "none" / "r.html", "does not exist")],
)
def test_a_place_that_is_none_is_named(tmp_path: Path, place: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(ReportError, match=said):
        save("text", place(tmp_path))
