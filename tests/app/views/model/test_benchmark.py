"""The benchmark's section on the page Model: the file's numbers, other weights, no file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.state import benchmark as state
from app.views.model.benchmark import bars, in_words, notes, table_html
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.trust.benchmark import METRICS, RIVALS, Table
from inception_model.trust.benchmark.records import Manifest
from inception_model.trust.benchmark.table import Cell, Row, to_json
from tests.app.asking import good
from tests.app.shell import drawn, open_app


@pytest.fixture
def table(bundled_checkpoint: Checkpoint) -> Table:
    """GradCAM is better than everything at main, saliency better than nothing."""
    settings = {
        "methods": ["gradcam", "saliency"], "heads": ["aux1", "main"], "target": "predicted", "steps": 8,
        "removed": [0.1, 0.5], "noise": 0.01, "seed": 0, "precision": "float32",
    }  # fmt: skip
    rows = []
    for head in settings["heads"]:
        for place, method in enumerate([*settings["methods"], *RIVALS]):
            beats = tuple(RIVALS) if (method, head) == ("gradcam", "main") else ()
            cells = {name: Cell(0.4 - place / 20, 0.35 - place / 20, 0.45 - place / 20, beats) for name in METRICS}
            rows.append(Row(method, head, cells, 12, 0, None if method in RIVALS else 0.25, {}))
    manifest = Manifest(bundled_checkpoint.sha256, "tiny-imagenet", "d" * 64, 13, settings)
    return Table(manifest, tuple(rows), 12, ("<b>a.png</b>: broken",), 3.2)


def test_every_number_is_in_the_table_and_bold_is_what_beats_nothing(table: Table) -> None:
    html = str(table_html(table, "main"))
    assert re.findall(r'<th scope="row">(.*?)</th>', html) == [
        "GradCAM", "Saliency (gradient)", "random pixels", "random cells, 7 × 7", "image centre"
    ]  # fmt: skip
    assert html.count(">0.400</span>") == len(METRICS) == html.count('class="beats"')
    assert html.count('title="95% interval 0.350 to 0.450"') == len(METRICS)
    assert html.count('class="rival"') == len(RIVALS)
    assert str(table_html(table, "aux1")).count('class="beats"') == 0


def test_bars_lie_on_one_scale_per_column(table: Table) -> None:
    found = bars(table.of("main"), "road")
    assert (found["gradcam"].left, found["gradcam"].width) == pytest.approx((2 / 3, 1 / 3), rel=1e-6)
    assert found["centre"].left == 0
    assert found["gradcam"].mean == pytest.approx(5 / 6, rel=1e-6)
    alone = replace(table.rows[0], cells={"road": Cell(1.0, 1.0, 1.0, ())})
    assert bars([alone], "road")[alone.method].width == 0


def test_the_words_name_who_is_better_than_nothing_and_what_was_left_out(table: Table) -> None:
    assert "insertion: GradCAM; deletion: GradCAM; ROAD: GradCAM; average drop: GradCAM." in in_words(table, "main")
    assert "insertion: none; deletion: none" in in_words(table, "aux1")
    assert "over 12 images" in in_words(table, "main")
    assert "10%, 50% of the pixels. 1 more images couldn't be read." in notes(table, "main")[0]
    assert notes(table, "main")[0].startswith("12 images, maps for the predicted class")
    stopped = replace(table, manifest=replace(table.manifest, images=30))
    assert notes(stopped, "main")[0].startswith("12 images (the first of 30; the run was stopped there), maps for")
    hollow = replace(table, rows=tuple(replace(row, empty=2) if row.method == "gradcam" else row for row in table.rows))
    assert "left out: GradCAM 2." in notes(hollow, "main")[1]


def test_few_images_make_nothing_better_and_one_has_no_interval(table: Table) -> None:
    few = replace(table, images=9)
    assert in_words(few, "main") == "Fewer than 10 images: no row is called better than another."
    assert in_words(few, "main") in notes(few, "main")
    one = replace(table, images=1, rows=tuple(replace(row, images=1) for row in table.rows))
    assert notes(one, "main")[1].endswith("One image has no interval.")
    assert "95% interval" not in str(table_html(one, "main"))
    assert in_words(one, "main") not in notes(table, "main")


def model_page(monkeypatch: pytest.MonkeyPatch, file: Path) -> AppTest:
    monkeypatch.setattr(state, "table_path", lambda _: file)
    return good(open_app().switch_page("views/model/page.py").run())


def test_the_page_shows_the_file_for_the_chosen_head(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.json"
    file.write_text(to_json(table))
    page = model_page(monkeypatch, file)
    assert "Faithfulness of the maps at main" in drawn(page)
    page.segmented_control(key="model-benchmark-head").set_value("aux1")
    assert "Faithfulness of the maps at aux1" in drawn(good(page.run()))


def test_other_weights_and_broken_files_are_told(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.json"
    raw = json.loads(to_json(table))
    raw["manifest"]["checkpoint"] = "0" * 64
    file.write_text(json.dumps(raw))
    page = model_page(monkeypatch, file)
    assert any("measured on other weights" in caption.value for caption in page.caption)
    assert "Faithfulness of the maps" not in drawn(page)
    file.write_text("{")
    assert any("no table of a benchmark" in caption.value for caption in good(page.run()).caption)
    file.unlink()
    assert any("No benchmark lies beside this file" in caption.value for caption in good(page.run()).caption)
