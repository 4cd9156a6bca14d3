"""The wheel: built here, installed into an empty environment elsewhere, it answers and serves without the checkout."""

from __future__ import annotations

import email
import json
import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
import threading
import tomllib
import urllib.request
import venv
import webbrowser
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import inception_model
from inception_model import _version, cli
from inception_model.checkpoints.checkpoint import ASSETS
from inception_model.cli import app, main
from inception_model.cli.app import SCRIPT
from inception_model.drawing.encoding import png_bytes
from inception_model.images.samples import sample_photo
from tests.e2e.server import free_port, read_when_ready, serving
from tests.endurance.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from a copy without caches, so that nothing is left in the checkout."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in dict.fromkeys(listed.stdout.splitlines()):
        if name.startswith(("inception_model/", "app/", "assets/")) or "/" not in name:
            source = ROOT / name
            if source.is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(out), str(copy)], check=True, timeout=120)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has the wheel; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    return folder / "bin"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a command that knows nothing of the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "STREAMLIT_"))}
    return kept | {"HOME": str(tmp_path)}


def test_the_wheel_holds_everything_that_is_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in ASSETS.rglob("*"):
        if file.is_file():
            assert f"inception_model/assets/{file.relative_to(ASSETS)}" in names
    for package in ("app", "inception_model"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                assert str(file.relative_to(ROOT)) in names
    assert not {name for name in names if name.startswith(("tests/", "scripts/"))}


def test_the_version_is_said_once(wheel: Path) -> None:
    assert wheel.name.startswith(f"inceptionscope-{_version.__version__}-py3-")
    assert inception_model.__version__ == _version.__version__
    assert f"## {_version.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_predict_from_any_folder_answers_as_the_checkout_does(
    installed: Path, environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "cat.png"
    photo.write_bytes(png_bytes(sample_photo("cat").image))
    where = [
        str(installed / "python"),
        "-c",
        "import inception_model, app; print(inception_model.__file__, app.__file__)",
    ]
    found = subprocess.run(where, capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path, env=environment)
    assert all(path.startswith(str(installed.parent)) for path in found.stdout.split())
    command = [str(installed / "inceptionscope"), "predict", "cat.png", "--device", "cpu", "--json"]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env=environment
    )
    assert answer.returncode == 0, answer.stderr
    assert main(["predict", str(photo), "--device", "cpu", "--json"]) == 0
    heads, wanted = (json.loads(text)["images"][0]["heads"] for text in (answer.stdout, capsys.readouterr().out))
    assert list(heads) == ["aux1", "aux2", "main"]
    for head, row in wanted.items():
        assert [a["wnid"] for a in heads[head]["top"]] == [a["wnid"] for a in row["top"]]
        chances = [a["probability"] for a in row["top"]]
        assert [a["probability"] for a in heads[head]["top"]] == pytest.approx(chances, rel=1e-4)


def test_the_wheel_depends_on_what_the_requirements_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        declared = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    found = {(each.name, each.specifier) for each in map(Requirement, declared) if each.marker is None}
    wanted = map(Requirement, requirements("requirements.txt"))
    assert found == {(each.name, each.specifier) for each in wanted} != set()


def test_the_installed_app_shows_its_first_page(installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    command = [str(installed / "inceptionscope"), "--port", str(port), "--no-browser"]
    address = f"http://localhost:{port}"
    with serving(command, address, seconds=100, cwd=tmp_path, env=environment):
        assert json.loads(read_when_ready(f"{address}/api/ready")) == {"state": "ready"}
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.status == 200
            assert b"<title>" in answer.read()
        with Visitor(address) as visitor:
            visitor.open()
            assert visitor.problems == []
            cards = visitor.cards()
    assert list(cards) == ["aux1", "aux2", "main"]
    assert all(cards.values())


def test_the_installed_command_names_the_packages_of_an_extra(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    asking = "from inception_model.extras import how_to_install as how; print(how('ray'))"
    command = [str(installed / "python"), "-c", asking]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    named = {Requirement(word).name for word in shlex.split(found.stdout)[2:]}
    assert named == {Requirement(line).name for line in requirements("requirements-ray.txt")} != set()


def test_a_folder_called_app_is_not_taken_for_the_app(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    started = app.command("localhost", 8501)
    flags = started[1 : started.index("-m")]
    asking = [str(installed / "python"), *flags, "-c", "import app; print(app.__file__)"]
    found = subprocess.run(asking, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert found.stdout.startswith(str(installed.parent))


def test_ending_the_command_ends_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_its_parent = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    monkeypatch.setattr(app, "command", lambda host, port: [sys.executable, "-c", ends_its_parent])
    before = signal.getsignal(signal.SIGTERM)
    assert main(["app", "--port", str(free_port()), "--no-browser"]) == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_no_command_at_all_starts_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda argv: asked.append(list(argv)) or 0)
    for given in ([], ["--port", "8600"], ["--help"], ["--version"], ["predict", "cat.png"]):
        monkeypatch.setattr(sys, "argv", ["inceptionscope", *given])
        assert cli.console() == 0
    assert asked == [["app"], ["app", "--port", "8600"], ["--help"], ["--version"], ["predict", "cat.png"]]


def test_the_command_tells_its_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["inceptionscope", "--version"])
    with pytest.raises(SystemExit) as ended:
        cli.console()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"inceptionscope {_version.__version__}\n"


def test_the_app_s_settings_lie_beside_its_script() -> None:
    settings = tomllib.loads((SCRIPT.parent / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == 20
    assert settings["browser"]["gatherUsageStats"] is False


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--port", "70000", "--no-browser"]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err


class Somebody(BaseHTTPRequestHandler):
    """A server of somebody else, which answers whatever it is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_browser_does_not_open_on_somebody_else_s_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(app, "command", lambda host, port: [sys.executable, "-c", "import time; time.sleep(1)"])
    with ThreadingHTTPServer(("127.0.0.1", 0), Somebody) as taken:
        threading.Thread(target=taken.serve_forever, daemon=True).start()
        for host in ("localhost", "127.0.0.1", "0.0.0.0"):
            assert main(["app", "--host", host, "--port", str(taken.server_port)]) == 2
            said = capsys.readouterr().err
            assert f"port {taken.server_port} is taken; `--port " in said
        taken.shutdown()
    assert not opened


def test_an_address_that_is_not_this_machine_s_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--host", "192.0.2.1", "--no-browser"]) == 2  # an address for documentation
    assert "can't listen on --host 192.0.2.1 --port 8501" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("localhost", "http://localhost:8501"),
        ("0.0.0.0", "http://localhost:8501"),
        ("::", "http://localhost:8501"),
        ("::1", "http://[::1]:8501"),
        ("192.168.1.5", "http://192.168.1.5:8501"),
    ],
)
def test_the_browser_opens_where_the_app_listens(host: str, wanted: str) -> None:
    assert app.address(host, 8501) == wanted


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    rows = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(row) == 2 and re.fullmatch(r"\d+(\.(\w)+)*", row[1]) for row in rows)
    return {canonicalize_name(name): version for name, version in rows}


def requirements(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]


def test_every_requirement_is_pinned_within_its_range() -> None:
    versions = pinned()
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in requirements(file):
            wanted = Requirement(line)
            assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), line


def test_the_pins_carry_no_cuda() -> None:
    assert not {name for name in pinned() if name.startswith(("nvidia", "triton", "cuda"))}


def test_installs_use_the_constraints() -> None:
    makefile, dockerfile = (ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text()
    assert "EXACT ?= --constraint constraints.txt" in makefile
    assert makefile.count("$(EXACT)") == 3
    assert dockerfile.count("pip install") == dockerfile.count("-c constraints.txt") == 2
    assert "!constraints.txt" in (ROOT / ".dockerignore").read_text()


def test_extras_and_command_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"inceptionscope": "inception_model.cli:console"}
    extras = project["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert {"dev", "bench"} <= extras.keys()
    for extra in extras.values():
        assert all((ROOT / name).is_file() for name in extra["file"])
