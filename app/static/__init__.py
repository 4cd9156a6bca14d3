"""Style sheets and scripts of the pages and components, each a file of its own, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def style(name: str) -> str:
    """The text of `name`.css, ending in a newline: Streamlit takes one line for the path of a file."""
    return (_HERE / f"{name}.css").read_text(encoding="utf-8")


@cache
def script(name: str) -> str:
    """The text of `name`.js, a module whose default export draws a component."""
    return (_HERE / f"{name}.js").read_text(encoding="utf-8")
