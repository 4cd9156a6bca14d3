"""Heads that were fitted afterwards speak on the pages, and the page Model says where they come from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.state import operator
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.fitted_heads import save_fitted_heads
from inception_model.checkpoints.store import heads_path, load, save
from tests.app.asking import choose_file, good
from tests.app.shell import MAIN, drawn
from tests.checkpoints.test_fitted_heads import heads_for
from tests.random_networks import random_classifier


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network of whose heads only main was trained."""
    found = tmp_path / "bare.safetensors"
    save(random_classifier(tiny(), trained=("main",)).checkpoint, found)
    return found


def model_page(path: Path) -> str:
    """What the page Model draws with that file chosen."""
    app = choose_file(good(AppTest.from_file(MAIN, default_timeout=90).run()), path)
    assert not app.error
    return drawn(good(app.switch_page("views/model/page.py").run()))


def test_the_page_model_says_which_heads_came_later(path: Path) -> None:
    before = model_page(path)
    assert "aux1, aux2 exist but were never trained" in before
    assert "fitted here afterwards" not in before
    save_fitted_heads(heads_for(load(path)), heads_path(path))
    # The same file, loaded before: heads that lie beside it now make it another network.
    after = model_page(path)
    assert "exist but were never trained" not in after
    assert "aux1 and aux2 did not come with these weights: they were fitted here afterwards" in after
    assert "made &lt;b&gt;of&lt;/b&gt; noise" in after
    assert "made <b>of" not in after
    assert "25.0%" in after
    assert "aux1 and aux2: on the 500 held-out images of their own fit." in after
    assert list(operator.weight_files()) == [path.name]
    # Other weights under the same name: the page goes on with main, and says why.
    save(dataclasses.replace(load(path, fitted=False), source="saved once more"), path)
    changed = model_page(path)
    assert "fit them anew with `inceptionscope fit-heads`" in changed
    assert "aux1, aux2 exist but were never trained" in changed


def test_all_three_heads_answer(path: Path) -> None:
    save_fitted_heads(heads_for(load(path)), heads_path(path))
    app = choose_file(good(AppTest.from_file(MAIN, default_timeout=90).run()), path)
    shown = drawn(good(app.switch_page("views/look/page.py").run()))
    assert all(head in shown for head in HEADS)
    assert "never trained" not in shown
