"""How an extra is installed: what is told works where it is told, in a checkout and where only a wheel is."""

from __future__ import annotations

import shlex
from importlib import metadata
from pathlib import Path

import pytest

from inception_model import extras
from inception_model.extras import how_to_install

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("extra", ["ray", "umap", "export"])
def test_a_checkout_has_a_file(extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert how_to_install(extra) == f"pip install -r requirements-{extra}.txt"
    monkeypatch.chdir(tmp_path)
    *words, file = shlex.split(how_to_install(extra))
    assert words == ["pip", "install", "-r"]
    assert Path(file).samefile(ROOT / f"requirements-{extra}.txt")


def test_a_wheel_names_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared = ["torch>=2.10", 'ray<3,>=2.40; extra == "ray"', 'fsspec>=2024.2; extra == "ray"', 'onnx; extra == "e"']
    monkeypatch.setattr(extras, "_ROOT", tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda name: declared)
    assert shlex.split(how_to_install("ray")) == ["pip", "install", "ray<3,>=2.40", "fsspec>=2024.2"]
