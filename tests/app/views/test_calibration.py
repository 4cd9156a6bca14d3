"""Calibrated and raw probabilities in the app: what the pages show, the switch, its link, and the page Model."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.figures import head_cards
from app.jobs.ablation import result_of
from app.jobs.first_answers import first_answers_job
from app.jobs.timeline import line_of
from app.state import known, links, network, options, session, training
from app.state.panel import Panel
from app.widgets import report_button
from inception_model.analysis.ablation import Ablation
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import BUNDLED
from inception_model.checkpoints.store import load, save, save_calibration
from inception_model.serving.service import InferenceService
from inception_model.training.calibration import Calibration, HeadCalibration, Reliability, ReliabilityBin
from inception_model.training.curve import TrainingCurve
from tests.app.asking import choose_file, good
from tests.app.chart_data import ask_for_charts
from tests.app.shell import drawn, open_app
from tests.app.two_photos import CAT
from tests.random_networks import random_classifier

BEFORE = Reliability((ReliabilityBin(3, 0.3, 1 / 3), ReliabilityBin(7, 0.9, 0.5)), 1.25)
AFTER = Reliability((ReliabilityBin(10, 0.5, 0.45),), 1.125)
TEMPERATURES = {"aux1": 2.5, "aux2": 0.5, "main": 1.75}
CALIBRATION = Calibration("shapes", 20, 10, {h: HeadCalibration(t, BEFORE, AFTER) for h, t in TEMPERATURES.items()})
WORDS = "Probabilities are calibrated."


@pytest.fixture(scope="module")
def calibrated() -> Iterator[InferenceService]:
    """The tiny network with a temperature at every head."""
    found = random_classifier(tiny())
    service = InferenceService(replace(found, checkpoint=replace(found.checkpoint, calibration=CALIBRATION)))
    yield service
    service.close()


@pytest.fixture
def kept(calibrated: InferenceService, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the session keeps, as a dictionary, over the calibrated network."""
    kept: dict[str, object] = {"photo": CAT.sha256}
    monkeypatch.setattr(network, "service", lambda: calibrated)
    monkeypatch.setattr(session, "get", lambda name, default: kept.get(name, default))
    monkeypatch.setattr(session, "put", kept.__setitem__)
    return kept


def test_every_answer_is_softmax_at_the_temperature_until_raw_ones_are_asked_for(
    kept: dict[str, object], calibrated: InferenceService
) -> None:
    panel, logits = Panel(CAT), calibrated.look(CAT).trace.logits
    for raw in (False, True, False):  # the third time from what is remembered
        kept[options.RAW.state_name] = raw
        expected = {h: torch.softmax(logits(h)[0] / (1 if raw else t), 0) for h, t in TEMPERATURES.items()}
        views = head_cards.head_views(panel)
        assert (WORDS in " ".join(str(head_cards.in_words(views)).split())) is not raw
        job = first_answers_job(CAT)
        says = calibrated.remember(
            job.key, lambda work=job.compute: calibrated.run(lambda twin: work(twin, None, None))
        )
        line = line_of(panel, 3, None)
        result = result_of(panel, Ablation.parse(["5b:5x5"], network.spec()))
        for view, step in zip(views, line.steps, strict=True):
            chances = expected[view.name]
            assert [a.probability for a in view.top] == pytest.approx(chances.topk(5).values.tolist(), rel=1e-5)
            assert view.entropy == pytest.approx(float(torch.special.entr(chances.double()).sum()), rel=1e-5)
            assert says[view.name].probability == pytest.approx(float(chances.max()), rel=1e-5)
            assert (step.head, step.probability) == (view.name, pytest.approx(float(chances[3]), rel=1e-5))
            for change in result.top(view.name):
                assert change.probability[0] == pytest.approx(float(chances[change.index]), rel=1e-5)
        assert report_button.settings(None).raw is raw


def test_without_temperatures_raw_is_no_choice(kept: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = InferenceService(random_classifier(tiny()))
    monkeypatch.setattr(network, "service", lambda: plain)
    kept[options.RAW.state_name] = True
    assert not network.raw()
    assert network.classifier() is plain.classifier
    assert report_button.settings(None).raw is False
    plain.close()


def test_a_link_carries_the_switch() -> None:
    checkpoint = random_classifier(tiny()).checkpoint
    assert links.read({"raw": "on"}, checkpoint, ()) == {options.RAW.state_name: True}
    assert links.read({"raw": "yes"}, checkpoint, ()) == {}
    assert links.write({options.RAW.state_name: True}.get, ())["raw"] == "on"
    assert links.write({}.get, ())["raw"] is None, "the default is no part of an address"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled weights without temperatures and without a curve."""
    path = tmp_path_factory.mktemp("plain") / "plain.safetensors"
    save(replace(load(BUNDLED), calibration=None, curve=()), path)
    return path


@pytest.fixture(scope="module")
def file(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with temperatures, as a run leaves them; the plain one lies beside it."""
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    save_calibration(CALIBRATION, plain, path)
    shutil.copy(plain, path.parent)
    return path


def switch(app: AppTest) -> object:
    return next(found for found in app.toggle if found.label == "Raw probabilities")


def test_the_sidebar_switches_between_calibrated_and_raw(file: Path) -> None:
    app = choose_file(open_app(), file.parent / "plain.safetensors")
    bundled = drawn(app)
    assert (switch(app).disabled, switch(app).value) == (True, True)  # type: ignore[attr-defined]
    assert "carries no temperatures" in switch(app).help  # type: ignore[attr-defined]
    assert WORDS not in bundled
    choose_file(app, file)
    assert (switch(app).disabled, switch(app).value) == (False, False)  # type: ignore[attr-defined]
    calibrated = drawn(app)
    assert WORDS in calibrated
    good(switch(app).set_value(True).run())  # type: ignore[attr-defined]
    assert WORDS not in drawn(app)
    assert app.query_params["raw"] in ("on", ["on"])
    share = re.compile(r'class="scope-bar first" style="--p:(\S+?)"')
    assert share.findall(drawn(app)) == share.findall(bundled) != share.findall(calibrated)


def test_the_page_model_shows_what_the_temperatures_change(file: Path) -> None:
    (file.parent / "log.jsonl").write_text(
        "\n".join(
            json.dumps({"step": step, "held_out": {"aux1": {"top1": share}, "main": {"top1": 2 * share}}})
            for step, share in ((100, 0.1), (200, 0.25))
        )
    )
    app = ask_for_charts(choose_file(open_app(), file))
    good(app.switch_page("views/model/page.py").run())
    text = html.unescape(re.sub(r"<[^>]+>", " ", drawn(app)))
    assert "main is too sure and misses its accuracy by 29.0% on average, at temperature 1.75 by 5.0%" in text
    assert "aux2 is not sure enough" in text
    for number in ("1.750", "29.0%", "5.0%", "1.250", "1.125"):  # 0.3 x |0.3 - 1/3| + 0.7 x 0.4
        assert number in text
    assert "All pages show calibrated probabilities" in text
    assert "main from 20.0% to 50.0% after 200 steps" in text
    figures = [json.loads(element.proto.spec or element.proto.figure.spec) for element in app.get("plotly_chart")]
    names = [[trace["name"] for trace in figure["data"]] for figure in figures]
    assert names == [["raw", "calibrated"]] * 3 + [["aux1", "main"]]
    assert figures[2]["data"][0]["y"] == pytest.approx([1 / 3, 0.5])


def test_the_page_model_says_what_is_missing(plain: Path) -> None:
    app = good(choose_file(open_app(), plain).switch_page("views/model/page.py").run())
    said = html.unescape(drawn(app))
    assert "This file carries no temperatures" in said
    assert "inceptionscope calibrate DATA --checkpoint FILE" in said
    assert "Nothing is kept of this network's training" in said
    assert not app.get("plotly_chart")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"step": 1, "held_out": {"main": {"top1": "high"}}}',
                                  '{"step": "x", "held_out": {"main": {"top1": 1}}}', '{"step": 1, "held_out": [1]}',
                                  '{"step": 1, "held_out": {"main": {"top1": 7}}}'])  # fmt: skip
def test_a_damaged_log_is_no_curve(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    assert training._of_log(str(tmp_path / "log.jsonl"), (0, 0)) == ()


def test_a_curve_in_the_file_is_shown_before_a_log_s(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = (TrainingCurve("main", ((1, 0.5),)),)
    checkpoint = replace(random_classifier(tiny()).checkpoint, curve=curve)
    monkeypatch.setattr(network, "checkpoint", lambda: checkpoint)
    assert training.curves() == curve


def test_the_sentence_of_doubt_speaks_of_the_probabilities_that_are_shown(
    kept: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "doubt_of", lambda classifier, trace, _: (classifier.temperatures, trace.temperatures))
    for raw, wanted in ((False, TEMPERATURES), (True, {})):
        kept[options.RAW.state_name] = raw
        assert known.doubt(Panel(CAT)) == (wanted, wanted)
