"""Jinja2 as everything here uses it: each value is escaped, and one that a template asks for in vain is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .numbers import amount, number, percent, short, signed, signed_number, with_article

if TYPE_CHECKING:
    from jinja2 import Environment


def markup(folder: Path) -> Environment:
    """The templates of a folder, with the formatters of `numbers` as filters.

    Templates are read once. Labels and cards come from checkpoint files that somebody else wrote: autoescape is on for
    every file, whatever its name; a missing value raises UndefinedError.
    """
    # Imported here: who counts MACs on the command line draws nothing.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = (amount, number, percent, short, signed, signed_number, with_article)
    environment.filters |= {function.__name__: function for function in filters}
    return environment
