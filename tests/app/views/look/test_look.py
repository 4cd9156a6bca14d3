"""The app's shell and first page, driven without a browser: uploads, heads, networks, pages, sessions."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image
from streamlit.testing.v1 import AppTest

from inception_model.images.decode import MAX_BYTES
from inception_model.inference.classifier import Classifier
from tests.app.asking import choose_file, good
from tests.app.shell import MAIN, captions, cards, drawn, encoded, open_app, upload


@pytest.fixture(scope="module")
def espresso(photo_paths: dict[str, Path]) -> bytes:
    """A photo as somebody would upload it: other bytes than the sample's."""
    with Image.open(photo_paths["espresso"]) as image:
        return encoded(image.resize((300, 200)), "JPEG")


def test_first_screen_shows_the_cat_before_any_upload(bundled_classifier: Classifier, cat) -> None:  # type: ignore[no-untyped-def]
    app = open_app()
    heads = bundled_classifier.heads_of(bundled_classifier.prepare(cat.image))
    for head in heads.present:
        for answer in bundled_classifier.top(heads.of(head)[0], head):
            assert answer.label.split(",")[0] in cards(app)
    assert "Chelsea" in captions(app)
    assert "cpu · float32 · " in drawn(app)


def test_an_upload_is_looked_at_and_kept(espresso: bytes) -> None:
    app = open_app()
    before = cards(app)
    upload(app, ("mine.jpg", espresso))
    assert "mine.jpg" in captions(app)
    assert cards(app) != before
    good(app.run())
    assert "mine.jpg" in captions(app)


def test_bad_uploads_get_a_sentence_each_and_keep_what_was_there(espresso: bytes) -> None:
    app = upload(open_app(), ("mine.jpg", espresso))
    before = cards(app)
    noise = encoded(Image.effect_noise((400, 400), 50).convert("RGB"))
    upload(
        app,
        ("notes.png", b"these are words"),
        ("cut.png", noise[: len(noise) // 2]),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("heavy.png", b"\x89PNG" + b"0" * MAX_BYTES),
        ("wide.png", encoded(Image.new("1", (9000, 9000)))),
        ("nothing.png", b""),
    )
    said = {error.value.split(" ")[0]: error.value for error in app.error}
    assert len(app.error) == len(said) == 6
    assert "damaged or cut short" in said["cut.png"]
    assert "export it as PNG" in said["drawing.svg"]
    assert "limit is 20 MB" in said["heavy.png"]
    assert "million pixels" in said["wide.png"]
    assert "not an image" in said["notes.png"]
    assert "0 bytes" in said["nothing.png"]
    assert cards(app) == before
    assert "mine.jpg" in captions(app)
    upload(app, ("again.jpg", espresso + b" "))
    assert not app.error
    assert "again.jpg" in captions(app)


def test_what_a_session_keeps_can_be_written_to_a_store(espresso: bytes) -> None:
    app = upload(open_app(), ("mine.jpg", espresso))
    kept = {f"scope.{name}": app.session_state[f"scope.{name}"] for name in ("uploads", "photo", "problems", "round")}
    again = pickle.loads(pickle.dumps(kept))
    assert again["scope.uploads"][0].sha256 == kept["scope.photo"]


def test_names_of_uploads_are_text_never_markup(espresso: bytes) -> None:
    app = upload(open_app(), ("<img src=x onerror=alert(1)>.jpg", espresso))
    assert "<img src=x" not in drawn(app)
    assert "<img src=x onerror=alert(1)>.jpg" in captions(app)  # the browser writes it as text


def test_untrained_heads_are_named_and_never_predict(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False)
    path = tmp_path / "googlenet.pth"
    torch.save(network.state_dict(), path)
    app = open_app()
    assert not choose_file(app, path).error
    assert cards(app).count("Never trained in this checkpoint") == 2
    assert cards(app).count('class="scope-bar') == 5, "only the main head has a top-5"
    assert "no other head was trained" in cards(app)


def test_a_wrong_checkpoint_is_said_and_the_old_one_stays(tmp_path: Path) -> None:
    app = open_app()
    before = cards(app)
    (tmp_path / "wrong.pth").write_bytes(b"root:x:0:0 secret")
    choose_file(app, tmp_path / "wrong.pth")
    assert len(app.error) == 1
    assert "wrong.pth" in app.error[0].value
    assert "secret" not in app.error[0].value, "a message repeats what the file holds"
    assert str(tmp_path) not in app.error[0].value, "a message tells where the server keeps its files"
    assert cards(app) == before


def test_pages_share_the_photo_and_the_network(espresso: bytes) -> None:
    app = upload(open_app(), ("mine.jpg", espresso))
    good(app.selectbox(key="precision").set_value("bfloat16").run())
    before = cards(app)
    good(app.switch_page("views/model/page.py").run())
    assert app.get("html")
    assert "cpu · bfloat16 · " in drawn(app)
    assert "mine.jpg" not in drawn(app) + captions(app)
    good(app.switch_page("views/look/page.py").run())
    assert "mine.jpg" in captions(app)
    assert cards(app) == before


def test_two_sessions_do_not_see_each_other(espresso: bytes) -> None:
    mine, other = open_app(), open_app()
    before = cards(other)
    upload(mine, ("mine.jpg", espresso))
    good(other.run())
    assert cards(other) == before
    assert "mine.jpg" not in drawn(other) + captions(other)
    assert cards(mine) != before


def test_a_link_carries_device_and_precision_but_no_path() -> None:
    app = AppTest.from_file(MAIN, default_timeout=90)
    app.query_params.update({"precision": "bfloat16", "path": "/etc/passwd", "device": "quantum"})
    good(app.run())
    assert "cpu · bfloat16 · " in drawn(app)
    assert not app.error
    assert len(app.text_input) == 0


def test_more_photos_than_are_kept_are_named_and_none_is_dropped() -> None:
    pictures = [(f"p{n}.png", encoded(Image.new("RGB", (40, 40), (8 * n, 90, 60)))) for n in range(30)]
    app = upload(open_app(), *pictures)
    kept = [photo.name for photo in app.session_state["scope.uploads"]]
    assert kept == [f"p{n}.png" for n in range(24)]
    assert "6 photos were not taken" in app.error[0].value
    assert "p24.png" in app.error[0].value
    upload(app, ("late.png", encoded(Image.new("RGB", (40, 40), "blue"))))
    assert [photo.name for photo in app.session_state["scope.uploads"]] == kept
    assert "late.png" in app.error[0].value
    good(app.button(key="clear-uploads").click().run())
    assert app.session_state["scope.uploads"] == []
    assert not app.error
    upload(app, ("late.png", encoded(Image.new("RGB", (40, 40), "blue"))))
    assert [photo.name for photo in app.session_state["scope.uploads"]] == ["late.png"]
