"""A report on a square of a photo: its numbers are the cut's, and everything that makes it again says the square."""

from __future__ import annotations

import shlex

import numpy as np
from PIL import Image

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.report import collect, manifest, render
from tests.compare import assert_close
from tests.report.pages import BRIEF, QUICK, pictures


def test_a_report_on_a_square(small: Classifier) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (200, 700, 3), dtype=np.uint8)
    whole = Photo(Image.fromarray(pixels), "a" * 64, "wide.png")
    cut = Photo(Image.fromarray(pixels[50:180, 500:630]), "b" * 64, "cut.png")
    square = whole.with_square("500,50,130")
    found, wanted = collect(small, square, QUICK), collect(small, cut.with_square("0,0,130"), QUICK)
    assert found.facts["heads"] == wanted.facts["heads"]
    assert found.facts["ledger"]["modules"] == wanted.facts["ledger"]["modules"]
    assert found.facts["ablation"]["heads"] == wanted.facts["ablation"]["heads"]
    for ours, theirs in zip(found.maps, wanted.maps, strict=True):
        assert_close(ours, theirs)
    assert found.facts["image"]["view"] == {"left": 500, "top": 50, "right": 630, "bottom": 180}
    for shown in (True, False):
        command = shlex.split(manifest(found, square, with_image=shown)["command"])
        assert command[command.index("--square") + 1] == found.facts["image"]["square"] == "500,50,130"
        assert "chosen, not the centre: 500,50,130" in render(found, square, with_image=shown)
    assert "--square" not in manifest(collect(small, cut, BRIEF), cut)["command"]
    page = render(found, square)
    assert pictures(page) != pictures(render(found, whole))
