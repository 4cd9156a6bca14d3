"""Uploads that would hold the app: each one ends with a sentence, and the photos stay as they were."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from app.widgets import filmstrip
from inception_model.images import limits
from inception_model.images.decoder_pool import DecoderPool
from tests.app.shell import captions, cards, encoded, open_app, upload
from tests.images.crafted import many_scans


def test_an_upload_that_takes_too_long_to_decode_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DecoderPool(decoder="tests.images.odd_decoders:decode", processor=0.3)
    monkeypatch.setattr(filmstrip, "POOL", pool)
    app = open_app()
    before = cards(app)
    photo = encoded(Image.effect_noise((80, 60), 50).convert("RGB"), "WEBP")
    upload(app, ("endless.webp", photo), ("scans.jpg", many_scans(32, 32, limits.MAX_SCANS + 1)))
    endless, scans = (error.value for error in app.error)
    assert endless.startswith("endless.webp takes more than 0.3 seconds of processor time to decode")
    assert "scans" in scans
    assert cards(app) == before
    upload(app, ("mine.webp", photo))
    assert not app.error
    assert "mine.webp" in captions(app)
    pool.close()


def test_nothing_else_in_the_app_decodes_files() -> None:
    """Whatever comes from outside takes the way through the pool, with its limits."""
    root = Path(__file__).resolve().parents[3] / "app"
    found = {
        (path.name, word)
        for path in root.rglob("*.py")
        for word in re.findall(r"Image\.open\(|(?:\w+\.)?(?:read|open)_photo\(", path.read_text())
    }
    assert found == {(name, "POOL.read_photo(") for name in ("filmstrip.py", "questions.py")}
