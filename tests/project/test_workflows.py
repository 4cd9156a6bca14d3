"""Continuous integration: it calls what the Makefile has, on the oldest and the newest Python, pinned and newest."""

from __future__ import annotations

import itertools
import re
import tomllib

import pytest

from tests.project.test_project import MAKEFILE, ROOT

WORKFLOWS = {path.name: path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))}
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
# `matrix.versions == 'newest' && 'newest' || 'test'`, GitHub's way to write "if, else".
CHOICE = re.compile(r"\$\{\{ *matrix\.(\w+) == '([^']*)' && '([^']+)' \|\| '([^']+)' *\}\}")
RUN = re.compile(r"^( *)(?:- )?run: *(.*)\n((?:\1 {2,}.*\n)*)", flags=re.MULTILINE)
NAMED = re.compile(r"\$\{\{ *matrix\.(\w+) *\}\}")


def matrix(text: str) -> dict[str, list[str]]:
    """The lists of a workflow's matrix, by name; empty where it has none."""
    found = re.search(r"^( +)matrix:\n((?:\1 +.*\n)+)", text, flags=re.MULTILINE)
    rows = re.findall(r"^ +(\w+): *\[(.*)\]", found[2], flags=re.MULTILINE) if found else []
    return {name: [value.strip(" \"'") for value in values.split(",")] for name, values in rows}


def commands(text: str) -> list[str]:
    """The lines that a workflow's `run` steps hand to the shell, one step's block of lines after the other."""
    found = []
    for step in RUN.finditer(f"{text}\n"):
        first, block = step[2], step[3]
        found += block.splitlines() if first in ("|", ">", "|-", ">-", "") else [first]
    return [line.strip() for line in found]


def spelled_out(line: str, chosen: dict[str, str]) -> str:
    """A command with the matrix's values put in."""
    line = CHOICE.sub(lambda found: found[3] if chosen[found[1]] == found[2] else found[4], line)
    return NAMED.sub(lambda found: chosen[found[1]], line)


def runs(text: str) -> list[tuple[dict[str, str], list[str]]]:
    """For every cell of the matrix its values and the targets that `make` is asked for."""
    lists = matrix(text)
    cells = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    lines = [line for line in commands(text) if re.search(r"\bmake\b", line)]
    return [(cell, [target for line in lines for target in asked_of_make(spelled_out(line, cell))]) for cell in cells]


def asked_of_make(line: str) -> list[str]:
    """The targets in `make A B NAME=value`, in a line that may hold further commands."""
    words = [part.split() for part in re.findall(r"\bmake\b([^;&|<>]*)", line)]
    return [word for part in words for word in part if "=" not in word and not word.startswith("-")]


def test_a_block_of_lines_and_a_choice_are_understood() -> None:
    text = (
        "jobs:\n  a:\n    strategy:\n      matrix:\n        v: [x, y]\n        # why\n        w: [\"1\"]\n    steps:\n"
        "      - run: |\n          make ${{ matrix.v == 'x' && 'one' || 'two' }} A=b && make -s three\n"
        "      - name: n\n        run: make four </dev/null\n      - run: echo done\n"
    )  # fmt: skip
    assert matrix(text) == {"v": ["x", "y"], "w": ["1"]}
    assert runs(text) == [
        ({"v": "x", "w": "1"}, ["one", "three", "four"]),
        ({"v": "y", "w": "1"}, ["two", "three", "four"]),
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_ask_make_for_what_it_has(name: str) -> None:
    for cell, targets in runs(WORKFLOWS[name]):
        assert targets, f"nothing is run for {cell}"
        assert set(targets) <= TARGETS, f"{cell}: {targets}"


def test_every_test_runs_on_the_oldest_and_the_newest_python_with_pinned_and_newest_versions() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    newest = f"3.{max(int(minor) for minor in re.findall(r'python3[.]([0-9]+)', MAKEFILE))}"
    done = {
        (cell["python"], target)
        for text in WORKFLOWS.values()
        if "python" in matrix(text)
        for cell, targets in runs(text)
        for target in targets
    }
    assert oldest != newest
    assert done >= set(itertools.product((oldest, newest), ("test", "newest")))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_python_of_the_matrix_is_the_one_that_make_takes(name: str) -> None:
    text = WORKFLOWS[name]
    assert re.findall(r"python-version: *(.*)", text) == ["${{ matrix.python }}"]
    assert "actions/setup-python@" in text
    assert all("PYTHON=python" in line.split() for line in commands(text) if line.startswith("make"))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_files_that_key_the_cache_are_there(name: str) -> None:
    found = re.search(r"^( +)cache-dependency-path: *\|\n((?:\1 +.*\n)+)", WORKFLOWS[name], flags=re.MULTILINE)
    assert found is not None
    patterns = found[2].split()
    assert "constraints.txt" in patterns
    assert [pattern for pattern in patterns if not list(ROOT.glob(pattern))] == []


def test_changes_are_tested_before_and_after_they_are_merged() -> None:
    assert any(
        re.search(r"^on:\n(?: .*\n)*? +pull_request:", text, flags=re.MULTILINE)
        and re.search(r"^ +push:\n +branches: \[main\]", text, flags=re.MULTILINE)
        for text in WORKFLOWS.values()
    )
