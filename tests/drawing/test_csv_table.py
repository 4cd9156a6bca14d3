"""Exported tables: readable by a program, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from inception_model.drawing.csv_table import csv_text
from tests.project.test_project import FILES, ROOT


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "-1_000"]
)
def test_text_that_begins_like_a_formula_is_told_to_be_text(text: str) -> None:
    shown = "'" + text.replace("\r", " ")
    assert read(csv_text(["name"], [[text]])) == [["name"], [shown]]
    assert read(csv_text([text], [])) == [[shown]]


@pytest.mark.parametrize("value", [-1, -0.5, "-0.5", "+3", "-1e-05", "cat, sitting", 'a "b"', "a=b", "", None])
def test_numbers_and_other_text_stay(value: object) -> None:
    assert read(csv_text(["x", "y"], [[value, 1]]))[1] == ["" if value is None else str(value), "1"]


def test_every_table_is_written_by_one_function() -> None:
    writers = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.suffix == ".py" and path.parts[len(ROOT.parts)] in ("app", "inception_model")
        if "csv.writer" in path.read_text() or "csv.DictWriter" in path.read_text() or "to_csv" in path.read_text()
    ]
    assert writers == ["inception_model/drawing/csv_table.py"]
