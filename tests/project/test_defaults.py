"""Every default once: a value that stands for what nobody chose is written in one place and named elsewhere."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import sidebar
from app.state import network
from inception_model.inference.classifier import DEFAULT_DEVICE

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for package in ("inception_model", "app") for path in sorted((ROOT / package).rglob("*.py"))]
PLAIN = ("", 0, 1)
"""Values that say nothing: no text, none, one, and no or yes, which equal the latter two."""

CHOICES = (
    "inception_model/cli/", "inception_model/report/settings.py", "inception_model/training/recipe.py",
    "app/state/options.py",
)  # fmt: skip
"""Where people's choices have their defaults."""

Default = tuple[str, str]
"""What is chosen, and the value as it is written."""


def _written(name: str, value: ast.expr | None) -> Iterator[Default]:
    """A default that is written out; a name that is defined elsewhere is what this house wants."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str | int | float) and value.value not in PLAIN:
        yield name.strip("-").replace("-", "_"), repr(value.value)


def defaults(tree: ast.AST) -> Iterator[Default]:
    """The defaults of functions' parameters, of dataclasses' fields, of a command's options and of a page's choices."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args]
            pairs = [*zip(given[::-1], node.args.defaults[::-1], strict=False)]
            for argument, value in [*pairs, *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]:
                yield from _written(argument.arg, value)
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield from _written(field.target.id, field.value)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "add_argument" and isinstance(name, str):
                for keyword in node.keywords:
                    if keyword.arg == "default":
                        yield from _written(name, keyword.value)
            elif called == "Option" and isinstance(name, str) and len(node.args) > 1:
                yield from _written(name.rpartition(".")[2], node.args[1])


def shared(sources: dict[str, str]) -> list[str]:
    """Defaults of what can be chosen that are written in more than one place: `sources`, files by name -> text."""
    places = defaultdict(list)
    for name, text in sources.items():
        for default in defaults(ast.parse(text)):
            places[default].append(name)
    return [
        f"{name}={value}: {', '.join(found)}"
        for (name, value), found in places.items()
        if len(found) > 1 and any(place.startswith(CHOICES) for place in found)
    ]


def test_what_can_be_chosen_has_its_default_in_one_place() -> None:
    found = shared({str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES})
    assert not found, "name one of them, and let the others use the name:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "second",
    [
        'parser.add_argument("--most-steps", type=int, default=9)',
        "def work(*, most_steps: int = 9) -> None: ...",
        "def work(images: int, most_steps: int = 9) -> None: ...",
        "class Settings:\n    most_steps: int = 9",
        'WORK = Option("work.most_steps", 9)',
    ],
)
def test_the_search_finds_a_second_place(second: str) -> None:
    first = 'parser.add_argument("--most-steps", default=9)'
    assert shared({"inception_model/cli/work.py": first, "inception_model/work.py": second})
    assert not shared({"inception_model/cli/work.py": first, "inception_model/work.py": second.replace("9", "STEPS")})


def test_a_widget_that_the_address_fills_names_its_default() -> None:
    bound = [
        node
        for path in FILES
        if path.is_relative_to(ROOT / "app")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and any(keyword.arg == "bind" for keyword in node.keywords)
    ]
    assert len(bound) >= 6
    first = [keyword for node in bound for keyword in node.keywords if keyword.arg in ("default", "value", "index")]
    assert first
    assert not [ast.unparse(keyword) for keyword in first if isinstance(keyword.value, ast.Constant)]


def test_a_session_begins_with_what_the_sidebar_offers_first() -> None:
    """Selection boxes start with their first entry."""
    first = next(iter(sidebar.checkpoints().values()))
    assert (first, DEFAULT_DEVICE, network.precisions(DEFAULT_DEVICE)[0]) == network.settings()
