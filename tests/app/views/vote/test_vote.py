"""The page Vote without a browser: what it says beside the library's votes, models that vote together, bad choices."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.charts import votes as votes_chart
from app.state import network, operator
from app.state.panel import Panel
from app.views.vote import sheet, words
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import load, save
from inception_model.cost.report import compute_report
from inception_model.drawing.numbers import amount, percent, short
from inception_model.images.crops import CROPS, SCALES, all_crops, box_on_photo, resized
from inception_model.images.decode import Photo
from inception_model.inference.classifier import build
from inception_model.inference.voting import Votes, together, vote
from inception_model.serving.service import InferenceService
from tests.app.chart_data import ask_for_charts, drawn
from tests.app.two_photos import CAT, data, done
from tests.app.two_photos import words as told
from tests.compare import assert_close
from tests.random_networks import random_classifier

Open = Callable[..., AppTest]
SMALL = Photo(CAT.image.resize((90, 60)), "small-photo", "small")


@pytest.fixture(scope="module")
def votes(small: InferenceService) -> Votes:
    return vote(small.classifier, CAT.image, CROPS)


def sheets(test: AppTest) -> dict[str, Any]:
    (found,) = [found for found in data(test) if "cells" in found]
    return found


def test_the_page_says_what_the_library_finds(page: Open, votes: Votes, small: InferenceService) -> None:
    test = done(page("vote", beside=None))
    average = votes.averaged("main")
    best = int(average.argmax())
    label = short(small.classifier.checkpoint.label(best).words)
    agree = votes.of_crops("main").argmax(1).tolist().count(best)
    said = told(test)
    assert f"Averaged over all 144 views, main says {label} with {percent(float(average[best]))}" in said
    assert f"{agree} of 144 say so by themselves" in said
    report = compute_report(tiny(), 224)
    macs = report.total.macs + sum(cost.macs for cost in report.aux.values())
    assert f"1 network × 144 views = 144 forward passes of {amount(macs)} multiply-adds each" in said
    assert f"{amount(144 * macs)} multiply-adds for one answer" in said
    assert "7 × 144 = 1008 passes and brought the top-5 error from 10.07% to 6.67%" in said


@pytest.mark.parametrize(("head", "views"), [("main", 144), ("aux1", 10), ("aux2", 1)])
def test_the_sheet_has_every_view_in_the_paper_s_order(page: Open, votes: Votes, head: str, views: int) -> None:
    test = done(page("vote", beside=None, vote__head=head, vote__views=views))
    found = sheets(test)
    cells = found["cells"]
    assert [cell["words"] for cell in cells] == [crop.words(CAT.size) for crop in all_crops()]
    assert found["views"] == views
    best = int(votes.averaged(head, views).argmax())  # type: ignore[arg-type]
    width, height = CAT.size
    for cell, crop in zip(cells, all_crops(), strict=True):
        number = CROPS.index(crop)
        assert cell["number"] == number + 1
        probabilities = votes.of_crops(head)[number]  # type: ignore[arg-type]
        assert cell["agrees"] == (int(probabilities.argmax()) == best)
        assert cell["top"][0]["said"] == percent(float(probabilities.max()))
        box = box_on_photo(crop, CAT.size)
        assert_close(
            cell["box"], [box.left / width, box.top / height, box.width / width, box.height / height], scale=1.0
        )
    agree = sum(cell["agrees"] for cell in cells if cell["number"] <= views)
    assert f"{agree} of {views} say so by themselves" in told(test)


def test_the_chart_is_the_running_average(page: Open, votes: Votes) -> None:
    test = ask_for_charts(done(page("vote", beside=None, vote__views=40)))
    test.run()
    running = votes.running("main")
    leaders = words.leaders(votes, "main", 40)
    labels = [f"thing {index}" for index in leaders]
    figure = drawn(votes_chart.running_figure(running[:, leaders].T.tolist(), labels, 40))
    for trace, index in zip(figure["data"], leaders, strict=True):
        assert trace["x"] == list(range(1, 145))
        assert_close(trace["y"], running[:, index].tolist())
    assert figure["layout"]["shapes"][0]["x0"] == 40
    (alt,) = [element.proto.alt for element in test.get("plotly_chart")]
    assert alt == votes_chart.running_words(running[:, leaders].T.tolist(), labels, 40)
    assert f"{percent(float(running[39, leaders[0]]))} after 40" in alt


def test_names_of_lines_never_lie_on_each_other() -> None:
    found = votes_chart._apart([0.30, 0.29, 0.1], 0.05)
    assert_close(found, [0.34, 0.29, 0.1])


def test_groups_add_up(kept: dict[str, Any], votes: Votes) -> None:
    panel = Panel(CAT)
    text = str(words.agreement_html(panel, votes, "main", 100))
    best = int(votes.averaged("main", 100).argmax())
    agree = votes.of_crops("main")[:100].argmax(1).tolist().count(best)
    rows = [row.split("of") for row in text.replace("</td>", "\n").split("\n") if " of " in row]
    numbers = [(int(a.split(">")[-1]), int(b)) for a, b in rows]
    assert sum(a for a, _ in numbers) == 4 * agree
    assert sum(b for _, b in numbers) == 4 * 100
    others = words.disagreement(votes, "main", 100)
    assert f"{100 - agree} of 100 views say something else" in others or agree == 100


def test_small_photos_are_said_to_be_enlarged(kept: dict[str, Any]) -> None:
    assert "small has 90 × 60 pixels: the largest of the four sizes enlarges it 5.9" in words.cautions(Panel(SMALL))
    assert "enlarges" not in words.cautions(Panel(Photo(CAT.image.resize((900, 600)), "large", "large")))


def test_a_smaller_network_s_views_are_named_by_their_own_sides(
    kept: dict[str, Any], votes: Votes, small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network of 64 pixels is shown shorter sides of 73 to 101 pixels, and is used to them when it resizes to 73."""
    preprocessing = replace(small.classifier.checkpoint.preprocessing, size=64, resize=73)
    own = replace(small.classifier.checkpoint, preprocessing=preprocessing)
    monkeypatch.setattr(network, "checkpoint", lambda: own)
    sides = [min(resized((300, 200), scale, 64)) for scale in SCALES]
    assert sides == [73, 82, 91, 101]
    panel = Panel(CAT)
    text = str(words.agreement_html(panel, votes, "main", 144))
    assert re.findall(r"(\d+) px", text) == [str(side) for side in sides]
    assert "is made for a shorter side" not in words.cautions(panel)
    found = sheet.sheet_data(panel, votes, "main", 144)
    assert found["scales"] == sides
    assert {cell["scale"] for cell in found["cells"]} == set(sides)
    assert {cell["words"].split(",")[0] for cell in found["cells"]} == {f"shorter side {side}" for side in sides}


# Several models


@pytest.fixture
def folder(tmp_path: Path, small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's folder: a network with the same classes, and one that can't vote with it."""
    known = small.classifier.checkpoint
    state = {name: value * 1.1 for name, value in known.state.items()}
    save(replace(known, name="second", state=state), tmp_path / "second.safetensors")
    save(random_classifier(replace(tiny(), classes=9)).checkpoint, tmp_path / "other.safetensors")
    monkeypatch.setitem(os.environ, operator.FOLDER, str(tmp_path))
    return tmp_path


def test_two_models_vote_together(page: Open, small: InferenceService, votes: Votes, folder: Path) -> None:
    test = done(page("vote", beside=None, vote__models=("second.safetensors",)))
    second = build(load(str(folder / "second.safetensors")), "cpu")
    both = together([votes, vote(second, CAT.image, CROPS)])
    best = int(both.averaged("main").argmax())
    said = told(test)
    assert f"2 networks' main says thing {best} with {percent(float(both.averaged('main')[best]))}" in said.replace(
        "&#39;", "'"
    )
    assert "2 networks × 144 views = 288 forward passes" in said


def test_copies_of_one_file_vote_once(page: Open, folder: Path) -> None:
    (folder / "third.safetensors").write_bytes((folder / "second.safetensors").read_bytes())
    test = done(page("vote", beside=None, vote__models=("second.safetensors", "third.safetensors")))
    (warning,) = [element.value.replace("\\", "") for element in test.warning]
    assert warning.startswith("third.safetensors doesn't vote")
    assert "are the same file" in warning
    assert "2 networks × 144 views = 288 forward passes" in told(test)


def test_every_network_costs_what_it_costs(small: InferenceService, votes: Votes) -> None:
    both = together([votes, replace(votes, models=("second",))])
    said = words.cost(both, small.classifier, [10_000_000, 30_000_000], 10)
    assert f"20 forward passes of {amount(10_000_000)} to {amount(30_000_000)} multiply-adds" in said
    assert f": {amount(400_000_000)} multiply-adds for one answer" in said


def test_what_can_t_vote_is_named_and_the_others_go_on(page: Open, folder: Path) -> None:
    test = done(page("vote", beside=None, vote__models=("other.safetensors", "gone.safetensors")))
    (warning,) = [element.value.replace("\\", "") for element in test.warning]
    assert warning.startswith("other.safetensors doesn't vote")
    assert "need the same classes" in warning
    assert str(folder) not in warning, "where the file lies is the operator's affair"
    assert "1 network × 144 views" in told(test)
    assert list(test.multiselect[0].value) == ["other.safetensors"], "a file that is gone is no choice any more"


def test_one_checkpoint_alone_says_so(page: Open) -> None:
    test = page("vote", beside=None)
    if len(operator.checkpoints()) == 1:
        assert not test.multiselect
        assert "One model votes" in told(test)


def test_without_trained_heads_nobody_votes(monkeypatch: pytest.MonkeyPatch, page: Open) -> None:
    service = InferenceService(random_classifier(tiny(), trained=()))
    monkeypatch.setattr(network, "service", lambda: service)
    test = AppTest.from_file(str(Path(sheet.__file__).parent / "page.py"), default_timeout=60)
    assert not test.run().exception
    assert "none of them can vote" in told(test)
    service.close()


def test_two_photos_vote_for_the_first_only(page: Open) -> None:
    assert "cat" in told(done(page("vote"))).split("From here on:")[-1]
