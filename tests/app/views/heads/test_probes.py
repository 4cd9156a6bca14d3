"""Probes on the page Heads: in words, in the table, in the charts, and where a file has none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.timeline import timeline_words
from app.views.heads import probes as probe_view
from inception_model.analysis.probes import load_probes, probes_path, save_probes
from inception_model.analysis.timeline import Timeline, timeline
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.checkpoints.store import save
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture
from tests.app.asking import good
from tests.app.shell import drawn
from tests.app.views.heads.test_heads import charts, heads_page
from tests.random_networks import noise_images, random_classifier, random_probes
from tests.weight_files import MODULES


@pytest.fixture(scope="module")
def line(tiny_classifier: Classifier) -> Timeline:
    trace = capture(tiny_classifier, noise_images(2))
    return timeline(tiny_classifier, trace, 4, probes=random_probes(tiny_classifier))


def test_words_and_table_have_the_probes_numbers(tiny_classifier: Classifier, line: Timeline) -> None:
    probes = random_probes(tiny_classifier)
    steps = [replace(step, rank=2) for step in line.probes]
    never = replace(line, probes=(*steps[:-1], replace(steps[-1], rank=3)))
    assert "never comes to rank 1; it is best at 3a, in place 2" in probe_view.in_words(never, probes)
    late = replace(line, probes=(*steps[:6], *(replace(step, rank=1, probability=0.41) for step in steps[6:])))
    words = " ".join(probe_view.in_words(late, probes).split())
    assert "first comes to rank 1 at 4e (41%)" in words
    assert "trained on 42 images" in words
    assert "at 3a gets 10.0% right, the one at 5b 50.0%" in words
    table = probe_view.table_html(replace(late, label="<i>a</i>, b"))
    assert table.count("<tr") == 10
    assert table.count('class="first"') == 3
    assert "<i>a" not in table
    assert "by probe: 3a 2, 3b 2, 4a 2, 4b 2, 4c 2, 4d 2, 4e 1, 5a 1, 5b 1" in timeline_words(late)


def rings(app: AppTest) -> int:
    """Probes that the page's charts show."""
    return sum(len(trace["x"]) for trace in charts(app)[0]["data"] if trace["name"] == "probes")


def test_the_page_shows_nine_probes_beside_three_heads(bundled_checkpoint: Checkpoint) -> None:
    app = heads_page()
    assert rings(app) == 4 * 9
    assert "A probe is a linear classifier" in drawn(app)
    assert re.findall(r'<th scope="row">(\d[a-e])</th>', drawn(app)) == list(MODULES)
    probes = load_probes(probes_path("tiny-imagenet"), bundled_checkpoint)
    assert f"{probes.modules['4d'].accuracy.top5:.1%}" in drawn(app)


def test_a_file_of_ones_own_brings_its_probes(tmp_path: Path) -> None:
    alone = random_classifier(tiny())
    saved = save(alone.checkpoint, tmp_path / "own.safetensors")
    app = heads_page(tmp_path / "own.safetensors")
    assert "probe" not in drawn(app)
    save_probes(random_probes(alone, "a" * 64), tmp_path / "own.probes.safetensors")
    good(app.run())
    assert "Only the heads are shown" in app.caption[0].value
    assert rings(app) == 0
    save_probes(random_probes(alone, saved.sha256), tmp_path / "own.probes.safetensors")
    good(app.run())
    assert rings(app) == 4 * 9
