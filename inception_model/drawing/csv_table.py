"""Tables as CSV text that a spreadsheet shows and never computes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A line of column names, then a line per row.

    Text that begins like a formula (a photo's name, a label) gets an apostrophe before it, which spreadsheets take for
    "this is text". Numbers stay as they are, also those that are written as text already.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")  # the writer doesn't quote it, and readers take it for the end of a line
    return f"'{text}" if text.lstrip().startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    """Whether a spreadsheet reads the text as a plain number."""
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip() and "_" not in text
