"""Markup stands in app/templates/, where every value is escaped, and in no string of the app's code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
TAG = re.compile(r"\s*<[a-z][a-z0-9-]*[\s/>]", re.IGNORECASE)
PLOTLY = re.compile(r"<(?:b|br|extra)>")
"""What plotly reads in its texts, which are no HTML; `charts.template` escapes what comes from outside."""
STYLE = ("templates/__init__.py", "<style>\n{}</style>")
"""Where templates get their style sheets from."""
NOTHING = "<i hidden></i>\n"
"""What a component begins with that nothing is seen of."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string, also of the parts of f-strings, that is no docstring."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def marked_up(file: str, source: str) -> list[str]:
    """The strings of a file that begin as an element does and have no reason to stand there."""
    plotly = file.startswith("charts/")
    return [
        f"app/{file}:{line}: {text[:80]!r}"
        for line, text in texts(ast.parse(source))
        if TAG.match(text) and text != NOTHING and (file, text) != STYLE and not (plotly and PLOTLY.match(text))
    ]


def test_no_string_of_the_app_is_markup() -> None:
    files = {str(path.relative_to(APP)): path.read_text(encoding="utf-8") for path in sorted(APP.rglob("*.py"))}
    assert STYLE[0] in files
    found = [line for file, source in files.items() for line in marked_up(file, source)]
    assert not found, "put it into app/templates/:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["html = '<div class=\"a\"></div>'", "f'<style>{css}</style>'", "f'{a}<br/>{b}'"])
def test_the_search_for_markup_finds_it(line: str) -> None:
    assert marked_up("widgets/any.py", f"x = {line}" if line.startswith("f") else line)
    assert not marked_up("widgets/any.py", '"""<div>"""\nx = 1 < 2, "a < b"')
