"""`import inception_model` costs nothing, and every public name is there and what its home says."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import inception_model


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import inception_model;"
        "seconds = time.perf_counter() - start;"
        "print(seconds, [name for name in ('torch', 'numpy', 'PIL', 'captum') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, loaded = ran.stdout.split(" ", 1)
    assert loaded.strip() == "[]"
    assert float(seconds) < 0.2


@pytest.mark.parametrize("name", sorted(inception_model._HOMES))
def test_public_names_are_those_of_their_rooms(name: str) -> None:
    home = importlib.import_module(f"inception_model.{inception_model._HOMES[name]}")
    assert getattr(inception_model, name) is getattr(home, name)
    assert name in inception_model.__all__
    assert name in dir(inception_model)


def test_a_wrong_name_is_told_the_right_ones() -> None:
    with pytest.raises(AttributeError, match="capture"):
        _ = inception_model.catpure  # type: ignore[attr-defined]
