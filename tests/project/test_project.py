"""What the repository as a whole promises: no traces of one machine, a room for every file, commands that exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TEXT = {".py", ".md", ".toml", ".txt", ".css", ".js", ".html", ".json", ".jsonl", ".yml", ".yaml", ".cfg", ""}
# Paths that exist on one computer only, and package sources other than pip's own configuration.
PRIVATE = re.compile(
    r"(?<![\w.])/(?:home|Users|work|tmp|root|opt)/\w|[A-Z]:\\\\Users|--(?:extra-)?index-url=?\s*https?:"
    r"|trusted-host|PIP_(?:EXTRA_)?INDEX_URL",
)

BY_NAME = re.compile(r"pip install ['\"]?inceptionscope")


def tracked() -> list[Path]:
    """Files that belong to the project: known to git, or, outside a clone, all that is not a cache."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\n") if listed.returncode == 0 else [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")]
    skip = (".venv", ".git/", "runs/")
    return [ROOT / name for name in names if name and not name.startswith(skip) and (ROOT / name).is_file()]


FILES = tracked()


def test_no_file_knows_one_machine() -> None:
    found = []
    for path in FILES:
        if path.suffix in TEXT and path != Path(__file__).resolve():
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if PRIVATE.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", ["open('/home/me/x')", "see /tmp/notes", "--index-url https://mirror.example/simple"])
def test_the_search_for_private_paths_finds_them(line: str) -> None:
    assert PRIVATE.search(line)


def test_no_text_installs_the_project_by_a_name() -> None:
    """It is in no package index: what is there under its name would be somebody else's."""
    texts = (path for path in FILES if path.suffix in TEXT and path != Path(__file__).resolve())
    found = {str(path.relative_to(ROOT)) for path in texts if BY_NAME.search(path.read_text(errors="replace"))}
    assert not found


def test_files_stay_small() -> None:
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in FILES if path.stat().st_size > 30 * 2**20}
    assert not large


def test_every_folder_is_on_the_map_of_the_house() -> None:
    rooms = (ROOT / "CONTRIBUTING.md").read_text()
    folders = {path.relative_to(ROOT).parent for path in FILES}
    named = {
        folder.relative_to(folder.parts[0])
        for folder in folders
        if folder.parts[:1] in (("app",), ("inception_model",))
    }
    named -= {folder for folder in named if not folder.parts or folder.name.startswith(".")}
    assert {str(folder) for folder in named if f"`{folder}/`" not in rooms} == set()


def test_requirements_are_ranges() -> None:
    for file in ROOT.glob("requirements*.txt"):
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[a-z0-9-]+>=[\d.]+(,<[\d.]+)?", line), f"{file.name}: {line}"


def test_the_tools_and_the_requirements_agree_on_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert f"Python {oldest} or newer" in MAKEFILE
    assert f"Python {oldest} or newer" in README


def test_make_commands_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    code = "\n".join(re.findall(r"```sh\n.*?```|`[^`\n]+`", README, flags=re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z-]+)", code))
    assert {"app", "test"} <= named
    assert named <= targets
    assert {"app", "test", "lint", "bench", "bench-app", "gpu-check", "clean", "help"} <= targets


def test_make_app_opens_no_browser_and_the_readme_promises_none() -> None:
    (line,) = (line for line in README.splitlines() if line.startswith("make app "))
    assert "--server.headless true" in MAKEFILE
    assert "opens" not in line
    assert "serves the app on http://localhost:8501: open it there" in line


def test_a_wheel_begins_with_empty_folders() -> None:
    recipe = MAKEFILE.partition("\nwheel:")[2].partition("\n\n")[0]
    assert recipe.index("rm -rf build dist") < recipe.index("pip wheel")


def test_contributing_names_what_is_checked_and_where_endings_stand() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["packages"]
    assert f"mypy --strict on {' and '.join(f'`{name}`' for name in packages)} are part of `make test`" in text
    (entry,) = re.findall(r"- \*\*A checkpoint format\*\*:.*?(?=\n- )", text, flags=re.DOTALL)
    for file in re.findall(r"`([\w/]+\.py)`", entry):
        assert any((ROOT / room / file).is_file() for room in ("", "inception_model")), file
    assert re.search(r"SUFFIXES \(`app/state/operator\.py`\)", entry)
    assert re.search(r"^SUFFIXES = ", (ROOT / "app/state/operator.py").read_text(), flags=re.MULTILINE)


def test_ci_runs_what_a_person_runs() -> None:
    runner = ROOT / ".ci" / "run"
    assert runner.stat().st_mode & 0o111
    assert "make test" in runner.read_text()


def test_files_that_the_readme_shows_are_there() -> None:
    named = [name for name in re.findall(r"\]\(([^)#]+)\)", README) if not name.startswith("http")]
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_commands_in_the_readme_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    from inception_model.cli import COMMANDS, build_parser

    named = set(re.findall(r"python -m inception_model ([a-z]+(?:-[a-z]+)*)", README))
    assert named
    assert named <= set(COMMANDS)
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([command, "--help"])
        assert ended.value.code == 0
        assert command in capsys.readouterr().out


def test_the_library_example_in_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(examples) == 1
    exec(compile(examples[0], "<README example>", "exec"), {})
    *heads, shape = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in heads] == ["aux1", "aux2", "main"]
    assert "cat" in heads[-1].lower() or "tabby" in heads[-1].lower()
    assert shape == "torch.Size([1, 64, 14, 14])"
