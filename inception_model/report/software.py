"""Which versions of what a result was made with."""

from __future__ import annotations

import platform
from importlib import metadata

from .._version import __version__

PACKAGES = ("torch", "torchvision", "captum", "numpy", "pillow", "scikit-image")
"""Packages whose version can change a number or a picture."""


def versions() -> dict[str, str]:
    """Name -> version: this project, Python, and the packages that compute and draw."""
    packages = {name: _version(name) for name in PACKAGES}
    return {"inceptionscope": __version__, "python": platform.python_version(), **packages}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
