"""Weight files and files beside them that are hostile: the app says one sentence and goes on with what it had."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.state import benchmark as state
from tests.app.asking import choose_file, good
from tests.app.shell import MAIN, drawn
from tests.checkpoints.hostile import metadata_files, torch_files
from tests.trust.test_benchmark_file import CHANGES, GOOD, TEXTS

FILES = {
    "accuracy that is a text": "the metadata's 'accuracy' is wrong: it is a text",
    "accuracy of a text per head": "main is a text, where an object is expected",
    "a label of two million letters": "a label's words has 2,000,000 characters",
    "a spec 5,000 deep": "it is nested too deeply",
}


@pytest.fixture(scope="module")
def app() -> AppTest:
    return good(AppTest.from_file(MAIN, default_timeout=90).run())


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_told_and_the_model_page_goes_on(app: AppTest, name: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    metadata_files.FILES[name].write(path)
    test = choose_file(app, path)
    (error,) = [element.value for element in test.error]
    assert FILES[name] in error.replace("\\", "")
    assert str(tmp_path) not in error
    assert "tiny-imagenet" in drawn(good(test.switch_page("views/model/page.py").run()))


def test_code_in_a_file_is_told(app: AppTest, tmp_path: Path) -> None:
    path = tmp_path / "wrong.pth"
    torch_files.FILES["a call of the system"].write(path)
    (error,) = [element.value for element in choose_file(app, path).error]
    assert "more than plain tensors" in error
    assert "system" not in error


def test_the_model_page_draws_what_a_file_says_in_its_own_way(app: AppTest, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    metadata_files.FILES["accuracy with more beside it"].write(path)
    test = choose_file(app, path)
    assert not test.error
    assert "100.0%" in drawn(good(test.switch_page("views/model/page.py").run()))


@pytest.mark.parametrize("name", ["heads of lists", "shares in words", "a mean of nothing", "no head"])
def test_a_hostile_benchmark_is_told_on_the_model_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = copy.deepcopy(GOOD)
    CHANGES[name][0](raw)
    file = tmp_path / "x.benchmark.json"
    file.write_text(json.dumps(raw))
    monkeypatch.setattr(state, "table_path", lambda _: file)
    page = good(AppTest.from_file(MAIN, default_timeout=90).run().switch_page("views/model/page.py").run())
    (told,) = [caption.value for caption in page.caption if "no table of a benchmark" in caption.value]
    assert str(tmp_path) not in told
    file.write_bytes(TEXTS["lists 100,000 deep"][0])
    assert any("nested too deeply" in caption.value for caption in good(page.run()).caption)
