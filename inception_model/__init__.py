"""A library that looks inside a trained GoogLeNet (Inception v1)."""

from ._version import __version__

__all__ = ["__version__"]
