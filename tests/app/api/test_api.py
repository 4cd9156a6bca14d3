"""What programs ask of the running server: answers beside those of the library and the commands, and refusals."""

from __future__ import annotations

import argparse
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from app.state import operator
from inception_model.attribution import explain
from inception_model.checkpoints.checkpoint import ASSETS, BUNDLED
from inception_model.checkpoints.store import save_calibration
from inception_model.cli import build_parser, main
from inception_model.images.decode import read_photo
from inception_model.images.limits import MAX_BYTES
from inception_model.inference.classifier import Classifier
from inception_model.inference.plain import trace_arrays
from inception_model.inference.trace import capture
from tests.app.api.api_server import Server, api_server
from tests.app.views.test_calibration import CALIBRATION
from tests.compare import assert_close
from tests.images import crafted

CALIBRATED = "calibrated.safetensors"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With one network of the operator's besides the bundled one."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "weights").mkdir()
    save_calibration(CALIBRATION, ASSETS / "checkpoints" / f"{BUNDLED}.safetensors", folder / "weights" / CALIBRATED)
    with api_server(folder, **{operator.FOLDER: str(folder / "weights"), operator.API: "8"}) as running:
        yield running


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a-private-name.png"
    Image.fromarray(skimage.data.chelsea()).save(path)
    return path


def assert_same(found: Any, wanted: Any) -> None:
    """The same structure and words; numbers but for rounding."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, float):
        assert_close(found, wanted, 1e-4)
    else:
        assert found == wanted


def without(answer: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in keys}


@pytest.mark.parametrize("raw", [False, True])
def test_predict_answers_as_the_command_does(
    server: Server, cat: Path, capsys: pytest.CaptureFixture[str], raw: bool
) -> None:
    file = Path(server.log).parent / "weights" / CALIBRATED
    words = ["predict", str(cat), "--device", "cpu", "--json", "--top", "7", "--checkpoint", str(file)]
    assert main([*words, *["--raw"] * raw]) == 0
    wanted = json.loads(capsys.readouterr().out)
    answer = server.post("predict", cat.read_bytes(), ("top", "7"), ("checkpoint", CALIBRATED), ("raw", str(int(raw))))
    found = answer.json
    assert answer.headers["x-queue-position"] == "0", "nobody was before it"
    assert answer.headers["cache-control"] == "no-store"
    assert bool(found["temperatures"]) is not raw
    assert_same(
        without(found, "images") | without(found["images"][0], "seconds"),
        without(wanted, "images") | without(wanted["images"][0], "seconds", "path"),
    )


def test_a_form_is_a_photo_too(server: Server, cat: Path) -> None:
    head = b'--x\r\ncontent-disposition: form-data; name="photo"; filename="cat.png"\r\ncontent-type: image/png\r\n\r\n'
    form = head + cat.read_bytes() + b"\r\n--x--\r\n"
    found = server.ask("/api/predict", form, headers={"content-type": "multipart/form-data; boundary=x"})
    assert found.status == 200
    assert without(found.json["images"][0], "seconds") == without(
        server.post("predict", cat.read_bytes()).json["images"][0], "seconds"
    )


def test_inspect_answers_with_the_arrays_of_a_trace(server: Server, cat: Path, bundled_classifier: Classifier) -> None:
    photo = read_photo(cat.read_bytes())
    wanted = trace_arrays(capture(bundled_classifier, bundled_classifier.prepare(photo.image)))
    summary = server.post("inspect", cat.read_bytes()).json["arrays"]
    answer = server.post("inspect", cat.read_bytes(), ("out", "npz"))
    assert list(summary) == list(wanted)
    with np.load(io.BytesIO(answer.body)) as arrays:
        assert arrays.files == list(wanted)
        for name, values in wanted.items():
            assert_close(arrays[name], values)
            assert summary[name]["shape"] == list(values.shape)
            assert_close(summary[name]["mean"], float(values.mean()), scale=float(np.abs(values).mean()))


def test_explain_answers_as_the_library_does(server: Server, cat: Path, bundled_classifier: Classifier) -> None:
    photo = read_photo(cat.read_bytes())
    wanted = explain(
        bundled_classifier, bundled_classifier.prepare(photo.image), "integrated_gradients", "aux2", "3-7",
        baseline="blur", options={"steps": 4},
    )  # fmt: skip
    asked = ("head", "aux2"), ("target", "3-7"), ("baseline", "blur"), ("option", "steps=4"), ("check", "completeness")
    found = server.post("explain", cat.read_bytes(), *asked).json
    assert (found["method"], found["head"], found["baseline"]) == ("integrated_gradients", "aux2", "blur")
    assert found["options"] == wanted.options
    assert (found["target"]["index"], found["target"]["minus"]) == (3, 7)
    assert_close(found["score"], wanted.score, 1e-4)
    assert_close(found["sum"], wanted.total, scale=float(wanted.values.norm()))
    assert [check["name"] for check in found["trust"]["evidence"]] == ["completeness"]
    with np.load(io.BytesIO(server.post("explain", cat.read_bytes(), *asked, ("out", "npz")).body)) as arrays:
        assert_close(arrays["values"], wanted.values, 1e-3)
    picture = server.post("explain", cat.read_bytes(), *asked, ("out", "png"))
    assert picture.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(picture.body)) as drawn:
        assert drawn.size == photo.size


FIELD = b'--x\r\ncontent-disposition: form-data; name="top"\r\n\r\n3\r\n--x--'
"""An option where none is read."""
HOSTILE = {
    "nothing": (b"", 400, "no photo"),
    "text": (b"hello", 415, "not an image"),
    "drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "SVG"),
    "pdf": (b"%PDF-1.7\n", 415, "can't be read"),
    "cut": (crafted.encoded(crafted.smooth(300, 200), "PNG")[:400], 400, "cut short"),
    "many scans": (crafted.many_scans(64, 64, 400), 400, "scans"),
    "side": (crafted.png(30_000, 2), 400, "20000"),
    "pixels": (crafted.png(9_000, 9_000), 400, "million"),
    "text bomb": (crafted.png(8, 8, chunks=crafted.text_bomb(2**23)), 400, "unpack"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_photos_are_refused_in_a_sentence(server: Server, kind: str) -> None:
    data, status, said = HOSTILE[kind]
    for question in ("predict", "inspect", "explain"):
        answer = server.post(question, data)
        assert answer.status == status, answer.body
        assert said in answer.json["error"]
        assert answer.json["id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("predict?top=0", 400, "at least"),
        ("predict?top=x", 400, "whole number"),
        ("predict?top=1&top=2", 400, "once"),
        ("predict?raw=yes", 400, "allowed: 0, 1"),
        ("predict?method=gradcam", 400, "allowed: top, raw, square, checkpoint"),
        ("predict?checkpoint=/etc/passwd", 404, f"there are: {BUNDLED}, {CALIBRATED}"),
        ("explain?checkpoint=nowhere", 404, BUNDLED),
        ("explain?method=magic", 400, "allowed: saliency"),
        ("explain?head=aux9", 400, "allowed: aux1"),
        ("explain?target=unicorn", 400, "no class"),
        ("explain?method=gradcam&layer=9z", 400, "allowed: 3a"),
        ("explain?method=saliency&layer=5b", 400, "no layer"),
        ("explain?baseline=grey", 400, "allowed: black"),
        ("explain?option=steps", 400, "NAME=VALUE"),
        ("explain?option=steps=0", 400, "allowed"),
        ("explain?check=luck", 400, "unknown check"),
        ("explain?out=jpg", 400, "json, npz, png"),
        (f"explain?target={'a' * 5000}", 400, "characters"),
        ("nowhere", 404, "/api lists"),
        ("metrics", 405, "GET"),
    ],
)
def test_wrong_questions_are_told_what_is_allowed(server: Server, cat: Path, path: str, status: int, said: str) -> None:
    answer = server.ask(f"/api/{path}", cat.read_bytes(), headers={"content-type": "image/png"})
    assert (answer.status, said in answer.json["error"]) == (status, True), answer.body


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("multipart/form-data", b"--x--", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="top"\r\n\r\n3\r\n--x--',
            400,
        ),
    ],
)
def test_other_bodies_are_refused(server: Server, kind: str, body: bytes, status: int) -> None:
    answer = server.ask("/api/predict", body, headers={"content-type": kind})
    assert answer.status == status
    assert answer.json["error"]


def test_get_is_no_question(server: Server) -> None:
    answer = server.ask("/api/predict")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_large_body_is_refused_before_it_is_read(server: Server) -> None:
    """Its length alone is enough, and of one that does not tell it no more than the limit is taken."""
    start = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with socket.create_connection(("localhost", server.port), timeout=30) as line:
        line.sendall(start + f"Content-Length: {MAX_BYTES + 1}\r\n\r\n".encode() + b"x")
        assert line.recv(4096).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("localhost", server.port), timeout=30) as line:
        line.sendall(start + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with pytest.raises(OSError):  # noqa: PT012 - the server has hung up
            while sent < 20 * MAX_BYTES:
                line.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
                sent += 2**20
        assert sent < 3 * MAX_BYTES
    assert server.ask("/api/ready").status == 200


def test_pages_of_other_origins_ask_nothing(server: Server, cat: Path) -> None:
    answer = server.ask("/api/predict", cat.read_bytes(), headers={"origin": "http://elsewhere.example"})
    assert answer.status == 403


def test_metrics_count_what_was_done(server: Server, cat: Path) -> None:
    def read() -> tuple[float, float, float, dict[str, float]]:
        found = server.metrics()
        requests = {(s.labels["route"], s.labels["status"]): s.value for s in found["inceptionscope_requests"].samples}
        looks, maps = (
            next(s.value for s in found[name].samples if s.name.endswith("_count"))
            for name in ("inceptionscope_look_seconds", "inceptionscope_explanation_seconds")
        )
        gauges = {name: s.value for name, family in found.items() if family.kind == "gauge" for s in family.samples}
        return requests.get(("/api/explain", "200"), 0), looks, maps, gauges

    new = io.BytesIO()
    Image.open(cat).rotate(7).save(new, "PNG")
    before = read()
    for _ in range(2):
        assert server.post("predict", new.getvalue()).status == 200
        assert server.post("explain", new.getvalue(), ("method", "gradcam")).status == 200
    after = read()
    assert [b - a for a, b in zip(before[:3], after[:3], strict=True)] == [2, 1, 1]
    gauges = after[3]
    assert gauges["inceptionscope_answer_bytes"] > before[3]["inceptionscope_answer_bytes"]
    [batches] = [s.value for s in server.metrics()["inceptionscope_batch_images"].samples if s.name.endswith("_count")]
    assert batches >= after[1], "each look that was computed went in a batch"
    for name in ("looks", "api_requests", "sessions"):
        assert gauges[f"inceptionscope_{name}_waiting"] == 0
    assert gauges["inceptionscope_ready"] == 1
    assert gauges["inceptionscope_networks"] >= 1
    assert gauges["inceptionscope_sessions"] == gauges["inceptionscope_photo_bytes"] == 0
    status = Path(f"/proc/{server.process.pid}/status")
    if status.exists():
        resident = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        assert gauges["inceptionscope_resident_memory_bytes"] / (1024 * resident) == pytest.approx(1, rel=0.2)


def test_the_list_names_every_route_and_the_commands_defaults(server: Server, cat: Path) -> None:
    found = server.ask("/api").json
    posts = {route["path"]: route for route in found["routes"] if route["method"] == "POST"}
    assert set(posts) == {"/api/predict", "/api/inspect", "/api/explain"}
    for route in found["routes"]:
        answer = server.ask(route["path"], b"x" if route["method"] == "POST" else None)
        assert answer.status == (415 if route["method"] == "POST" else 200), route
    for path, route in posts.items():
        command = path.rpartition("/")[2]
        parsed = build_parser([command]).parse_args(
            [command, "a.png", *(["--out", "o"] if command != "predict" else [])]
        )
        for name, option in route["options"].items():
            if name != "out":
                assert_default(parsed, name, option)


def assert_default(parsed: argparse.Namespace, name: str, option: dict[str, Any]) -> None:
    """An option is one of the command's, and means the same where nobody says it."""
    value = getattr(parsed, name)
    if option["repeatable"]:
        assert value == []
    else:
        assert option["default"] == (None if value is None else str(int(value) if isinstance(value, bool) else value))


def test_the_log_knows_requests_and_neither_names_nor_photos(server: Server, cat: Path) -> None:
    head = f'--x\r\ncontent-disposition: form-data; name="p"; filename="{cat.name}"\r\n\r\n'.encode()
    form = head + cat.read_bytes() + b"\r\n--x--\r\n"
    answer = server.ask("/api/predict", form, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status == 200
    [line] = [line for line in server.lines() if line.get("id") == answer.headers["x-request-id"]]
    assert (line["event"], line["route"], line["status"]) == ("request", "/api/predict", 200)
    assert set(line) == {"time", "event", "id", "route", "status", "seconds"}
    assert cat.name not in server.log.read_text()
    assert not any(line["event"] == "failure" for line in server.lines()), (
        "nothing in these tests is the program's fault"
    )
