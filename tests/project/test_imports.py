"""Imports point one way, the library never draws, and captum and the app's packages stay in their rooms."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "inception_model"
APP = ROOT / "app"

# Rooms from the ground up; a room may use those below it. Library modules not named here are rooms of "analysis".
FLOORS: tuple[tuple[str, ...], ...] = (
    ("spec", "preprocessing", "data", "progress", "samples", "style"),
    ("network", "packing", "layers", "paper"),
    ("checkpoint", "formats", "native", "containers", "caffe", "download"),
    ("classifier",),
    ("capture",),
    ("analysis",),
    ("report",),
    ("service",),
    ("cli", "__main__"),
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path, *, on_loading: bool = False) -> Iterator[str]:
    """Absolute names of what a file imports; `on_loading` leaves out imports inside functions.

    What only the type checker sees doesn't count.
    """
    package = _module_name(path).split(".") if path.name == "__init__.py" else _module_name(path).split(".")[:-1]
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if on_loading and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            if node.module:  # `from . import x` needs x, not the package, whose own file is being read already
                yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


SOURCES = sorted([*LIBRARY.rglob("*.py"), *APP.rglob("*.py")])
IMPORTS = {_module_name(path): set(_imports(path)) for path in SOURCES}
LIBRARY_MODULES = [name for name in IMPORTS if name.startswith("inception_model.")]


def _room(module: str) -> str:
    return module.split(".")[1]


def _floor(module: str) -> int:
    return FLOOR.get(_room(module), FLOOR["analysis"])


def _users(package: str) -> set[str]:
    return {name for name, found in IMPORTS.items() if any(other.split(".")[0] == package for other in found)}


def test_the_scan_sees_the_known_imports() -> None:
    assert "inception_model.network.GoogLeNet" in IMPORTS["inception_model.capture"]
    assert "inception_model.spec" in IMPORTS["inception_model.network"]
    assert {"torch", "inception_model.checkpoint"} <= IMPORTS["inception_model.classifier"]


@pytest.mark.parametrize("module", LIBRARY_MODULES)
def test_a_room_uses_only_its_own_floor_and_those_below(module: str) -> None:
    above = {other for other in IMPORTS[module] if other in IMPORTS and _floor(other) > _floor(module)}
    assert not above - {"inception_model"}, f"{module} imports from above: {sorted(above)}"


def test_files_load_in_one_order() -> None:
    graph = {
        _module_name(path): {name for name in _imports(path, on_loading=True) if name in LIBRARY_MODULES}
        for path in sorted(LIBRARY.rglob("*.py"))
    }
    # `from . import part` names the package as well, which is being loaded at that moment anyway.
    graph = {name: {other for other in found if not name.startswith(f"{other}.")} for name, found in graph.items()}
    assert set(LIBRARY_MODULES) <= set(TopologicalSorter(graph).static_order())


def test_the_library_never_imports_the_app_or_its_toolkit() -> None:
    assert {name for package in ("streamlit", "plotly", "app") for name in _users(package)} <= {
        name for name in IMPORTS if name.startswith("app")
    }


def test_captum_has_one_room() -> None:
    assert {_room(name) for name in _users("captum")} <= {"attribution"}


def test_pages_receive_results_never_a_network() -> None:
    pages = {name: found for name, found in IMPORTS.items() if name.startswith("app.views")}
    touching = {name for name, found in pages.items() if {"inception_model.network", "torch"} & found}
    assert pages
    assert not touching


def test_every_package_that_is_imported_is_a_requirement() -> None:
    wanted = (ROOT / "requirements.txt").read_text().lower()
    names = {"PIL": "pillow", "skimage": "scikit-image"}
    own = {"inception_model", "app", *{path.stem for path in APP.rglob("*.py")}, *{d.name for d in APP.rglob("*/")}}
    packages = {other.split(".")[0] for found in IMPORTS.values() for other in found} - {""}
    foreign = packages - own - set(sys.stdlib_module_names)
    missing = {name for name in foreign if f"\n{names.get(name, name).lower().replace('_', '-')}>=" not in wanted}
    assert not missing
