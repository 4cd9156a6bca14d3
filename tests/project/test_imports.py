"""Rooms stand in one order and imports point one way; captum, streamlit and formatters stay in their places.

Every import counts, also those inside functions; only what the type checker alone sees does not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the ground up: a file may import from its own room and from those before it. The name `inception_model` stands
# for the package's own file, which offers what lies below it.
LIBRARY = (
    "_version", "progress", "whole_file", "extras", "architecture", "images", "drawing", "cost", "training",
    "checkpoints", "studies", "inference", "analysis", "robustness", "circuits", "visualization", "examples",
    "attribution", "serving", "trust", "report", "inception_model", "cli", "__main__",
)  # fmt: skip
APP = (
    "app", "web", "static", "templates", "theme", "state", "jobs", "widgets", "charts", "figures", "views", "sidebar",
    "main", "api", "server",
)  # fmt: skip
ORDER = {("inception_model", room): place for place, room in enumerate(LIBRARY)} | {
    ("app", room): len(LIBRARY) + place for place, room in enumerate(APP)
}

Room = tuple[str, str]
"""A package and the folder, or the file, right below it."""


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {_name(path): path for package in ("inception_model", "app") for path in sorted((ROOT / package).rglob("*.py"))}


def _imports(module: str) -> Iterator[tuple[str, str]]:
    """(module, name imported from it or "") for everything that a file imports anywhere in it, by absolute names."""
    path = FILES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield (inner, "") if inner in FILES else (source, alias.name)


IMPORTED = {module: set(_imports(module)) for module in FILES}
USES = {module: {source for source, _ in found} for module, found in IMPORTED.items()}
OWN = {module: {source for source in found if source in FILES and source != module} for module, found in USES.items()}


def _room(module: str) -> Room:
    package, *rest = module.split(".")
    return package, rest[0] if rest else package


def _users(package: str) -> set[str]:
    return {module for module, found in USES.items() if any(source.split(".")[0] == package for source in found)}


def _functions(module: str) -> set[str]:
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_scan_sees_the_known_imports() -> None:
    assert ("inception_model.architecture.network", "GoogLeNet") in IMPORTED["inception_model.checkpoints.store"] | (
        IMPORTED["inception_model.inference.classifier"]
    )
    assert "PIL" in USES["inception_model.serving.service"], "an import inside a function"
    assert "app.state.panel" in USES["app.figures.head_cards"]
    assert _users("torch")


def test_every_folder_has_a_place_in_the_order() -> None:
    rooms = {_room(module) for module in FILES}
    assert rooms <= set(ORDER), f"no place in the order: {sorted(rooms - set(ORDER))}"


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_from_its_own_room_and_those_before_it(module: str) -> None:
    later = {other for other in OWN[module] if ORDER[_room(other)] > ORDER[_room(module)]}
    assert not later, f"{module} imports from rooms after its own: {sorted(later)}"


def test_there_is_no_circle() -> None:
    """Raises CycleError, which names the files, where there is one."""
    assert set(TopologicalSorter(OWN).static_order()) == set(FILES)


def test_captum_has_one_room() -> None:
    assert {_room(module) for module in _users("captum")} == {("inception_model", "attribution")}


@pytest.mark.parametrize("command", ["predict", "train", "fit_heads", "checkpoints", "export"])
def test_a_command_that_explains_nothing_does_not_load_what_explains(command: str) -> None:
    """captum brings matplotlib and scipy along: half of what a command loads beside torch."""
    loaded, pending = set[str](), {f"inception_model.cli.{command}"}
    while pending:
        module = pending.pop()
        loaded.add(module)
        packages = {module.rsplit(".", count)[0] for count in range(1, module.count("."))}
        pending |= (OWN[module] | (packages & set(FILES))) - loaded
    assert "torch" in {source for module in loaded for source in USES[module]}
    assert not {module for module in loaded if _room(module)[1] in ("attribution", "trust")}


def test_templates_are_read_with_one_set_of_rules() -> None:
    """Escaping and what becomes of a missing value are decided once: whoever wants templates asks that file."""
    makers = {module for module, found in IMPORTED.items() if ("jinja2", "FileSystemLoader") in found}
    assert makers == {"inception_model.drawing.markup"}
    readers = {module for module, found in IMPORTED.items() if ("inception_model.drawing.markup", "markup") in found}
    assert readers == {
        "inception_model.drawing.notebook", "inception_model.report.page", "inception_model.report.site.writing",
        "app.templates",
    }  # fmt: skip
    named = {module for module in FILES if "Environment(" in FILES[module].read_text(encoding="utf-8")}
    assert named == makers


def test_the_library_never_imports_the_app_or_its_toolkit() -> None:
    users = {module for package in ("streamlit", "plotly", "app") for module in _users(package)}
    assert {_room(module)[0] for module in users} == {"app"}


def test_jobs_never_draw() -> None:
    jobs = {module for module in FILES if _room(module) == ("app", "jobs")}
    assert jobs
    assert not jobs & _users("streamlit")


def test_formatters_come_from_one_file() -> None:
    home = "inception_model.drawing.numbers"
    formatters = _functions(home)
    assert {"number", "signed", "percent", "short", "amount"} <= formatters
    strangers = [
        f"{module} takes {name} from {source}"
        for module, found in IMPORTED.items()
        for source, name in found
        if name in formatters
        and source in FILES
        and source != home
        # A library module may have a function of its own by such a word (a colour table's name, say).
        and not (source.startswith("inception_model.") and name in _functions(source))
    ]
    assert not strangers
    doubles = {module: formatters & _functions(module) for module in FILES if module.startswith("app")}
    assert not {module: names for module, names in doubles.items() if names}


def test_a_page_does_not_reach_into_another_page() -> None:
    def page(module: str) -> str:
        return module.split(".")[2]

    views = {module for module in FILES if module.startswith("app.views.")}
    crossing = {(m, other) for m in views for other in OWN[m] & views if page(m) != page(other)}
    assert views
    assert not crossing


def test_pages_receive_results_never_a_network() -> None:
    pages = {module: found for module, found in USES.items() if module.startswith("app.views")}
    touching = {module for module, found in pages.items() if {"inception_model.architecture.network", "torch"} & found}
    assert pages
    assert not touching


def test_every_package_that_is_imported_is_a_requirement() -> None:
    # Extras: the one command that needs one of them says what to install.
    files = ("requirements.txt", *(f"requirements-{extra}.txt" for extra in ("export", "ray", "umap")))
    wanted = "".join((ROOT / name).read_text().lower() for name in files)
    names = {"PIL": "pillow", "skimage": "scikit-image", "umap": "umap-learn"}
    packages = {source.split(".")[0] for found in USES.values() for source in found}
    foreign = packages - {"inception_model", "app"} - set(sys.stdlib_module_names)
    missing = {name for name in foreign if f"\n{names.get(name, name).lower().replace('_', '-')}>=" not in wanted}
    assert not missing
