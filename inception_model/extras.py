"""Packages that only some commands need (ray, umap, onnx), and how they are installed here."""

from __future__ import annotations

import re
import shlex
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def how_to_install(extra: str) -> str:
    """The pip command that brings an extra of pyproject.toml: its file in a checkout, its packages where that is not.

    The project has no place in a package index, so no name in brackets would do.
    """
    file = _ROOT / f"requirements-{extra}.txt"
    if file.is_file():
        return f"pip install -r {file.name if Path.cwd() == _ROOT else shlex.quote(str(file))}"
    try:
        declared = metadata.requires("inceptionscope") or []
    except metadata.PackageNotFoundError:  # the packages alone, copied from a checkout
        declared = []
    marked = (line.partition(";") for line in declared)
    wanted = [name.strip() for name, _, marker in marked if re.search(rf"extra == ['\"]{extra}['\"]", marker)]
    return shlex.join(["pip", "install", *(wanted or [f".[{extra}]"])])
