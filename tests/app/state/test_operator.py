"""What the operator allows: which files of the server a visitor can choose, and whether weights may be fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.state import operator
from inception_model.architecture.variants import tiny
from inception_model.checkpoints import download
from inception_model.checkpoints.checkpoint import BUNDLED
from inception_model.checkpoints.store import save
from tests.app.asking import good
from tests.app.shell import MAIN, drawn
from tests.random_networks import random_classifier


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the operator has named, with one weight file beside things that nobody may open."""
    (tmp_path / "secret.pth").write_bytes(b"outside of the folder")
    inside = tmp_path / "weights"
    inside.mkdir()
    save(random_classifier(tiny()).checkpoint, inside / "own.safetensors")
    (inside / "own.probes.safetensors").write_bytes(b"probes")
    (inside / "notes.txt").write_text("not weights")
    (inside / ".hidden.pth").write_bytes(b"hidden")
    (inside / "out.pth").symlink_to(tmp_path / "secret.pth")
    (inside / "again.pth").symlink_to(inside / "own.safetensors")
    (inside / "sub.pth").mkdir()
    monkeypatch.setenv(operator.FOLDER, str(inside))
    return inside


def open_app(**address: str) -> AppTest:
    app = AppTest.from_file(MAIN, default_timeout=90)
    app.query_params.update(address)
    return good(app.run())


def test_only_weight_files_that_lie_in_the_folder_are_listed(folder: Path) -> None:
    assert operator.weight_files() == {
        "again.pth": folder.resolve() / "own.safetensors",
        "own.safetensors": folder.resolve() / "own.safetensors",
    }


def test_without_a_folder_nothing_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator.weight_files() == {}
    monkeypatch.setenv(operator.FOLDER, str(tmp_path / "gone"))
    assert operator.weight_files() == {}


def test_a_visitor_has_no_field_for_a_path_and_can_choose_the_operators_files(folder: Path) -> None:
    app = open_app()
    assert not app.sidebar.text_input
    box = app.selectbox(key="checkpoint")
    assert set(box.options) == {BUNDLED, "again.pth", "own.safetensors"}
    good(box.set_value("own.safetensors").run())
    assert not app.error
    assert app.session_state["scope.settings"][0].endswith("own.safetensors")


@pytest.mark.parametrize("path", ["secret.pth", "../secret.pth", "/etc/passwd", "out.pth"])
def test_a_link_opens_no_other_file(folder: Path, path: str) -> None:
    app = open_app(checkpoint=path)
    assert app.selectbox(key="checkpoint").value == BUNDLED
    assert not app.error
    assert path not in drawn(app)


@pytest.mark.parametrize(
    ("address", "said", "allowed"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("[::1]", "", True),
        (None, "", False),
        ("0.0.0.0", "", False),
        ("192.168.0.7", "", False),
        ("localhost.example.org", "", False),
        ("0.0.0.0", "1", True),
        ("localhost", "0", False),
        ("localhost", "yes", False),
    ],
)
def test_fetching_is_for_localhost_or_by_permission(
    address: str | None, said: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "get_option", lambda name: {"server.address": address}[name])
    monkeypatch.setenv(operator.FETCH, said)
    assert operator.may_fetch() is allowed


@pytest.mark.parametrize("said", ["0", "1"])
def test_the_button_is_there_only_where_fetching_is_allowed(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv(operator.FETCH, said)
    app = good(open_app().switch_page("views/model/page.py").run())
    buttons = [button.label for button in app.button if button.label == "Fetch"]
    assert len(buttons) == (len(download.PUBLISHED) if said == "1" else 0)
    assert ("fetching is off on this server" in drawn(app)) is (said == "0")
    assert str(tmp_path) not in drawn(app) or said == "1", "a visitor reads a path of the server"
