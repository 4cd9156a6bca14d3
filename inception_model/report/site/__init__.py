"""An atlas as a website of plain files: a page per module with every tile, its numbers and what reads the channel."""

from .writing import write_site

__all__ = ["write_site"]
