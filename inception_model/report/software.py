"""Which versions of what a result was made with."""

from __future__ import annotations

import platform
import tomllib
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "torchvision", "captum", "numpy", "pillow")
"""Packages whose version can change a number or a picture."""

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def versions() -> dict[str, str]:
    """Name -> version: this project, Python, and the packages that compute and draw."""
    packages = {name: _version(name) for name in PACKAGES}
    return {"inceptionscope": _own(), "python": platform.python_version(), **packages}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _own() -> str:
    """From the project's file where it lies beside the library, else from the installed package."""
    if _PROJECT.is_file():
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    return _version("inceptionscope")
