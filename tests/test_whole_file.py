"""A file or a folder is there completely or not at all, and nothing lies beside it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from inception_model.whole_file import whole


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("before")
    with whole(file) as part:
        part.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    with whole(tmp_path / "shard") as part:
        part.mkdir()
        (part / "b").write_text("b")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.json", "b", "shard"]


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("before")
    for name in ("a.json", "shard/b"):
        with pytest.raises(OSError, match="no room"):
            break_off(tmp_path, name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "before")]


def break_off(folder: Path, name: str) -> None:
    top = folder / Path(name).parts[0]
    with whole(top) as part:
        file = part / Path(name).name if "/" in name else part
        file.parent.mkdir(exist_ok=True)
        file.write_text("ha")
        raise OSError("no room")
