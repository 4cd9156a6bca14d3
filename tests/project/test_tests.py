"""What the tests owe to each other: floats compared by size, and browser steps that wait for the app."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPARES = (*(ROOT / "tests").rglob("*.py"), *(ROOT / "inception_model" / "trust").rglob("*.py"))
# Their default tolerances hold an absolute part; tests/compare.py has what stands in for them.
FIXED = {
    "allclose",
    "isclose",
    "assert_allclose",
    "assert_almost_equal",
    "assert_array_almost_equal",
    "assertAlmostEqual",
}
STEPS = {
    "click", "dblclick", "press", "press_sequentially", "type", "fill", "clear", "check", "uncheck", "set_checked",
    "tap", "select_option", "set_input_files", "drag_to", "drag_and_drop", "goto", "go_back", "go_forward", "reload",
    "set_viewport_size", "emulate_media", "wait_for_timeout",
    "hover", "focus",
}  # fmt: skip
DEVICES = {"mouse", "keyboard", "touchscreen"}
"""What a page has of them does whatever it is told at once: every call is a step."""
WAITING = ("screen.py", "rest.py", "profiles.py")
"""Where the steps are made, where they wait, and where a page is cleared that nobody looks at."""
SMALL = 1e-3
"""Below this a number beside a difference is a tolerance; larger ones are bounds that a test is about."""


def name_of(call: ast.Call) -> str:
    """The called function's last name: `allclose` of `torch.allclose`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def small(node: ast.AST) -> bool:
    """Whether it is a number that can only be a tolerance."""
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < node.value < SMALL


def is_zero(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def absolute_difference(node: ast.AST) -> bool:
    """Whether it is the size of a difference that nothing is divided by: abs(a - b), (a - b).norm()."""
    inside = list(ast.walk(node))
    sizes = {name_of(call) for call in inside if isinstance(call, ast.Call)} & {"abs", "norm", "ptp", "diff"}
    operators = {type(part.op) for part in inside if isinstance(part, ast.BinOp)}
    return bool(sizes) and (ast.Sub in operators or bool(sizes & {"ptp", "diff"})) and ast.Div not in operators


def fixed_tolerances(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every comparison of floats that does not look at their size."""
    for node in ast.walk(tree):
        found = False
        if isinstance(node, ast.Call):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            values = [*node.args, *given.values()]
            found = (
                name_of(node) in FIXED
                or any(not is_zero(given[name]) for name in ("atol", "abs_tol") if name in given)
                or (name_of(node) == "approx" and ("abs" in given or (bool(node.args) and is_zero(node.args[0]))))
                or (name_of(node) in ("clamp", "clamp_min", "maximum") and any(map(small, values)))
            )
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            slack = any(
                isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add | ast.Sub) and small(side.right)
                for side in sides
            )
            found = slack or (any(map(small, sides)) and any(map(absolute_difference, sides)))
        if found:
            yield node.lineno, ast.unparse(node)


def bare_steps(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every action on a page that is not one of screen.py's steps."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            device = isinstance(owner, ast.Attribute) and owner.attr in DEVICES
            stepped = node.func.attr in STEPS and not (isinstance(owner, ast.Name) and owner.id == "screen")
            if device or stepped:
                yield node.lineno, ast.unparse(node)


def test_floats_are_compared_relative_to_their_size() -> None:
    assert ROOT / "inception_model" / "trust" / "benchmark" / "metrics.py" in COMPARES
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in COMPARES
        for line, text in fixed_tolerances(ast.parse(path.read_text()))
    ]
    assert not found, "use tests/compare.py:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "assert torch.allclose(a, b, rtol=1e-4)",
        "np.testing.assert_allclose(a, b)",
        "assert a == pytest.approx(b, abs=1e-5)",
        "assert a == pytest.approx(0)",
        "assert_close(a, b, atol=1e-6)",
        "assert abs(a - b) < 1e-5",
        "assert float((a - b).abs().max()) <= 1e-4",
        "assert a <= b + 1e-6",
        "return x / y.norm().clamp_min(1e-30)",
    ],
)
def test_the_search_for_fixed_tolerances_finds_them(line: str) -> None:
    assert list(fixed_tolerances(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "assert a == pytest.approx(b, rel=1e-5)",
        "assert relative_norm(a, b) < 1e-5",
        "assert_close(a, b, 1e-6, scale=size)",
        "assert (a - b).norm() / b.norm() < 1e-5",
        "assert abs(a - b) <= 1",
    ],
)
def test_relative_tolerances_are_left_alone(line: str) -> None:
    assert not list(fixed_tolerances(ast.parse(line)))


def test_browser_steps_wait_for_the_app() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in (ROOT / "tests" / "e2e").glob("*.py")
        if path.name not in WAITING
        for line, text in bare_steps(ast.parse(path.read_text()))
    ]
    assert not found, "use a step of tests/e2e/screen.py:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "page.locator('a').click()", "page.goto(url)", "page.keyboard.press('Enter')", "page.mouse.move(5, 300)",
        "page.mouse.down()", "page.locator('a').hover()", "field.focus()",
    ],
)  # fmt: skip
def test_the_search_for_bare_steps_finds_them(line: str) -> None:
    assert list(bare_steps(ast.parse(line)))
    steps = "screen.click(link)\nscreen.press(page, 'Enter')\nscreen.hover(link)\nscreen.focus(link)"
    assert not list(bare_steps(ast.parse(steps)))
