"""The image: what the Dockerfile copies is there and is let in, its command serves, its health check asks the app."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from streamlit import config

from inception_model.checkpoints.checkpoint import ASSETS
from inception_model.cli.app import SCRIPT, command
from tests.e2e.server import free_port, read_when_ready, serving
from tests.project.test_project import FILES, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORE = (ROOT / ".dockerignore").read_text()
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]


def steps(text: str) -> list[tuple[str, str]]:
    """Instruction and argument of every step, in order; comments dropped, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined if line.strip())]


def only(instruction: str) -> str:
    """The argument of an instruction that stands once in the Dockerfile."""
    [found] = [rest for name, rest in steps(DOCKERFILE) if name == instruction]
    return found


def exec_form(text: str) -> list[str]:
    """The words of a command in exec form, whatever stands before the bracket."""
    return [str(word) for word in json.loads(text[text.index("[") :])]


def copied() -> list[str]:
    """What the COPY steps name in the build's folder."""
    return [source for name, rest in steps(DOCKERFILE) if name == "COPY" for source in sources_of(rest)]


def sources_of(copy: str) -> list[str]:
    """The sources of one COPY step: neither its options nor, as the last word, where they go."""
    return [word for word in copy.split() if not word.startswith("--")][:-1]


def pattern_of(line: str) -> re.Pattern[str]:
    """A line of .dockerignore: `**` is any number of folders, `*` and `?` stay within one; a folder is all in it."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", line.strip("/"))
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")


def let_in(name: str, ignore: str = IGNORE) -> bool:
    """Whether the build sees that file: the last line that fits decides, `!` lets in."""
    seen = True
    for line in ignore.splitlines():
        if line.strip() and not line.startswith("#") and pattern_of(line.removeprefix("!")).fullmatch(name):
            seen = line.startswith("!")
    return seen


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("a.py", False), ("app/a.py", True), ("app/x/y/a.py", True), ("application/a.py", False),
        ("app/__pycache__/a.txt", False), ("app/x/a.pyc", False), ("x/app/a.py", False), ("app/x/__pycache__", False),
    ],
)  # fmt: skip
def test_ignore_lines_are_read_as_docker_reads_them(name: str, seen: bool) -> None:
    assert let_in(name, "# only app\n*\n!app\n**/__pycache__\n**/*.pyc\n") is seen


def test_what_is_copied_belongs_to_the_project_and_is_let_in() -> None:
    sources = copied()
    assert "." in sources  # so .dockerignore alone says what the image holds
    missing = {
        source
        for source in sources
        if source != "." and not any(name == source or name.startswith(f"{source.rstrip('/')}/") for name in NAMES)
    }
    assert not missing
    assert {source for source in sources if source != "." and not let_in(source)} == set()


def test_pip_reads_files_that_are_in_the_image_by_then() -> None:
    there: set[str] = set()
    read: set[str] = set()
    for name, rest in steps(DOCKERFILE):
        if name == "COPY":
            there |= set(sources_of(rest))
        elif name == "RUN":
            there |= set(re.findall(r"> *(\S+)", rest))
            wanted = set(re.findall(r"\s-[rc] (\S+)", rest)) | set(re.findall(r"grep .*? (\S+\.txt) >", rest))
            assert wanted <= there, f"{sorted(wanted - there)} is not copied before: {rest}"
            read |= wanted
    assert {"requirements.txt", "constraints.txt"} <= read


def test_the_image_holds_all_of_the_program_and_nothing_of_its_workshop() -> None:
    folders = ("app/", "inception_model/", f"{ASSETS.relative_to(ROOT).as_posix()}/")
    assert [name for name in NAMES if name.startswith(folders) and not let_in(name)] == []
    others = {name for name in NAMES if let_in(name) and not name.startswith(folders)}
    assert others == {"requirements.txt", "constraints.txt", "pyproject.toml", "LICENSE", "README.md"}
    for private in (".git/config", ".venv/bin/python", "app/.streamlit/secrets.toml", "app/__pycache__/main.pyc"):
        assert not let_in(private)


def test_the_image_s_python_is_one_that_the_project_supports() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    given = dict(rest.split("=", 1) for name, rest in steps(DOCKERFILE) if name == "ARG")
    assert only("FROM") == "python:${PYTHON_VERSION}-slim"
    newest = re.findall(r"python3\.(\d+)", (ROOT / "Makefile").read_text())
    assert int(oldest.split(".")[1]) <= int(given["PYTHON_VERSION"].split(".")[1]) <= max(map(int, newest))


def test_the_command_starts_the_app_as_the_command_line_does() -> None:
    python, dash, module, run, script, *flags = exec_form(only("CMD"))
    assert (python, dash, run) == ("python", "-m", "run")
    assert importlib.util.find_spec(module) is not None
    assert ROOT / script == SCRIPT
    assert script in NAMES
    assert let_in(script)
    assert set(flags) == {word for word in command("0.0.0.0", int(only("EXPOSE"))) if word.startswith("--")}
    for flag in flags:
        config.get_option(flag.removeprefix("--").partition("=")[0])  # an unknown one is an error


def build_in(folder: Path, home: Path) -> list[str]:
    """Does what the Dockerfile's steps do in an empty folder, as the build sees it; returns what pip was asked for.

    What only the image's own system has (pip's index, users) is played: each call of these programs is written down.
    """
    tools, asked = home / "tools", home / "asked"
    tools.mkdir(parents=True)
    for name in ("pip", "groupadd", "useradd", "chmod"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{asked}"\n')
        (tools / name).chmod(0o755)
    given = dict(rest.split("=", 1) for name, rest in steps(DOCKERFILE) if name == "ARG")
    for name, rest in steps(DOCKERFILE):
        if name == "COPY":
            sources = sources_of(rest)
            for file in NAMES:
                if let_in(file) and ("." in sources or file in sources):
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / file, folder / file)
        elif name == "RUN":
            env = {**given, "PATH": f"{tools}:{os.environ['PATH']}"}
            subprocess.run(["/bin/sh", "-ec", rest], cwd=folder, env=env, check=True)
    return asked.read_text().splitlines()


# Runs in the server's process before anything else, and writes down which files are opened for writing.
WRITES = """
import contextlib, os, sys
sink = os.open(os.environ["WRITES"], os.O_WRONLY | os.O_APPEND)
def seen(event, args):
    writing = event == "open" and isinstance(args[0], str) and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writing or event in ("os.mkdir", "watching"):
        os.write(sink, (os.path.abspath(args[0]) + "\\n").encode())
sys.addaudithook(seen)
sys.audit("watching", "/dev/watching")
"""


def test_the_health_check_tells_a_running_app_from_none(tmp_path: Path) -> None:
    """The Dockerfile's own steps, command and check, in an empty folder and on a port that is free here.

    The app writes nowhere but where deploy/ mounts memory: the home, and the folder for temporary files.
    """
    folder, home, temporary, watch = (tmp_path / name for name in ("image", "home", "temporary", "watch"))
    for made in (folder, home, temporary, watch):
        made.mkdir()
    asked = build_in(folder, home)
    assert [line.split()[:2] for line in asked if line.startswith("pip ")] == [["pip", "install"]] * 2
    assert any(f"--uid {only('USER').partition(':')[0]} " in line for line in asked)
    assert not (folder / "torch.txt").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    (watch / "sitecustomize.py").write_text(WRITES)
    (watch / "writes").write_text("")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "INCEPTIONSCOPE_"))}
    env = kept | {
        "HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{watch}:{os.environ.get('PYTHONPATH', '')}", "WRITES": str(watch / "writes"),
    }  # fmt: skip
    inside, outside = only("EXPOSE"), str(free_port())
    python, *starting = [word.replace(inside, outside) for word in exec_form(only("CMD"))]
    same_python, *checking = [word.replace(f":{inside}/", f":{outside}/") for word in exec_form(only("HEALTHCHECK"))]
    assert (python, same_python) == ("python", "python")
    [address] = re.findall(r"http://[^'\"]+", " ".join(checking))
    assert f":{outside}/" in address
    starting = [word.replace("0.0.0.0", "127.0.0.1") for word in starting]  # nobody else is to reach it
    with serving([sys.executable, *starting], f"http://127.0.0.1:{outside}", seconds=100, cwd=folder, env=env):
        # An address that the server does not know gets the first page, and no error.
        assert json.loads(read_when_ready(address)) == {"state": "ready"}
        assert subprocess.run([sys.executable, *checking], timeout=60, check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    allowed = (f"{home}/", f"{temporary}/", "/dev/", "/proc/")
    written = (watch / "writes").read_text().splitlines()
    assert "/dev/watching" in written
    assert [path for path in written if not f"{path}/".startswith(allowed)] == []
    ended = subprocess.run([sys.executable, *checking], timeout=60, check=False, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "URLError" in ended.stderr
