"""The Module page's instruments: bench, summary of the branches, order by credit, ablation over several modules."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.charts.specialisation import dots_figure, dots_words
from app.jobs import credit_order
from app.jobs import stimuli as module_answers
from app.state import network, photos, session, shelf
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module import ablation_panel, atlas, specialisation
from inception_model.analysis import selectivity
from inception_model.analysis.ablation import Ablation, ablate
from inception_model.analysis.selectivity import Selectivity
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, BranchKind
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.images import patterns, stimuli
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import NODES
from inception_model.serving.service import InferenceService
from tests.app.asking import PHOTO, good, opened, small, words
from tests.app.chart_data import drawn, named
from tests.compare import assert_close

__all__ = ["opened", "small"]  # fixtures

Open = Callable[..., AppTest]


def drawings(page: AppTest) -> str:
    """What the components draw."""
    return " ".join(str(element.proto) for element in page.get("bidi_component"))


def channel_of(small: InferenceService, node: str) -> int:
    """The channel that is picked at first: the strongest one."""
    return int(small.look(PHOTO).trace.block("4d").node(node)[0].mean(dim=(1, 2)).argmax())


def test_the_bench_shows_answer_and_curve_of_the_picked_channel(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = opened("module")
    assert not closed.slider
    closed.toggle(key="bench-open").set_value(True)
    page = good(closed.run())
    page.slider(key="bench-grating-frequency").set_value(6.0)
    page.slider(key="bench-grating-orientation").set_value(45.0)
    page = good(page.run())
    channel, twin = channel_of(small, "5x5"), small.classifier.twin()
    stimulus = patterns.Grating(45, 6)
    mean = float(selectivity.node_maps(twin, "4d", stimulus.image())["5x5"][channel].mean())
    curve = selectivity.tuning_curve(twin, "4d", "5x5", channel, "grating", "orientation", frequency=6.0)
    assert f"at the picked 45 it is {number(mean)}" in words(page)
    wanted = f"strongest at {number(curve.best)} degrees" if curve.selective else "it is not selective"
    assert wanted in words(page)
    assert stimuli.describe(stimulus) in drawings(page)

    # What is known is not asked again: neither another photo nor another channel runs the network.
    monkeypatch.setattr(module_answers, "tune", lambda *_: pytest.fail("asked again"))
    other = dataclasses.replace(PHOTO, sha256="another", name="another")
    monkeypatch.setattr(photos, "first_photo", lambda: other)
    good(page.run())
    page.session_state["scope.channel"] = (channel + 1) % 2
    assert f"Stimulus bench for channel {(channel + 1) % 2} of 4d 5×5" in words(good(page.run()))


@pytest.mark.parametrize("family", list(stimuli.FAMILIES))
def test_every_family_has_its_sliders(opened: Open, family: str) -> None:
    kind = stimuli.FAMILIES[family]
    for name in kind.RANGES:
        page = opened("module", bench__open=True, bench__family=family, **{f"bench__{family}__along": name})
        assert {slider.key for slider in page.slider} == {f"bench-{family}-{name}" for name in kind.RANGES}
        assert stimuli.describe(kind()) in drawings(page)
        assert re.search(
            rf"Along {name} it(s mean answer lies| is not selective)|Silent at all 12 values of {name}", words(page)
        )


def test_a_stimulus_becomes_the_photo_of_every_page(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Photo] = []
    monkeypatch.setattr(photos, "add_photo", taken.append)
    page = opened("module", bench__open=True, bench__family="checkerboard")
    next(button for button in page.button if button.label == "Look at this picture").click()
    good(page.run())
    channel = channel_of(small, "5x5")
    seen = small.look(taken[0]).trace.block("4d").node("5x5")[0, channel].numpy()
    bench = selectivity.node_maps(small.classifier.twin(), "4d", patterns.Checkerboard().image())["5x5"][channel]
    assert_close(seen, bench)


def test_the_bench_drops_no_photo_for_its_picture(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("module", bench__open=True, bench__family="checkerboard")
    random = np.random.default_rng(3)
    mine = [
        Photo(Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8)), f"{number:064x}", f"{number}.png")
        for number in range(photos.MAX_UPLOADS)
    ]
    page.session_state["scope.uploads"] = kept = [shelf.hold(photo) for photo in mine]
    next(button for button in page.button if button.label == "Look at this picture").click()
    good(page.run())
    assert page.session_state["scope.uploads"] == kept
    assert [warning.value for warning in page.warning] == [
        "This picture was not taken, because at most 24 photos of yours are kept and none is dropped for another. Take "
        "your photos away on the page Look to begin again."
    ]


def made_up(means: dict[BranchKind, float], count: int = 60) -> dict[BranchKind, Selectivity]:
    """Indices spread about a mean per branch; every branch has one silent channel at its end."""
    random = np.random.default_rng(0)
    found = {}
    for kind, mean in means.items():
        index = np.append(random.normal(mean, 0.05, count).clip(0, 1), np.nan)
        found[kind] = Selectivity(index, np.where(np.isnan(index), np.nan, 31.0), index, index * 0 + 8, index)
    return found


def test_the_verdict_says_whether_branches_differ() -> None:
    alike = specialisation.verdict("4d", made_up(dict.fromkeys(BRANCHES, 0.4)))
    assert alike.startswith("No: on this network the branches of 4d differ no more than chance")
    apart = made_up({"1x1": 0.2, "3x3": 0.4, "5x5": 0.6, "pool": 0.8})
    said = specialisation.verdict("4d", apart)
    assert "differ strongly on this network" in said
    assert re.search(r"most in \w+ selectivity \(median 0\.\d+ in pool, 0\.\d+ in 1×1\)", said)
    share = selectivity.branch_differences(apart)["colour"].share
    assert f"colour selectivity {share:.1%}" in said
    assert "none of them: 1 of 61 in 1×1, 1 of 61 in 3×3" in specialisation.sentence("4d", apart)
    dull = np.arange(61) == 60
    apart["5x5"] = dataclasses.replace(apart["5x5"], not_selective=dull)
    said = specialisation.sentence("4d", apart)
    assert "more than any of them: 1 of 61 in 5×5. Click" in said
    assert said.count("1 of 61 in 5×5") == 1
    nothing = {kind: Selectivity(*[np.full(3, np.nan)] * 5) for kind in BRANCHES}
    assert specialisation.verdict("4d", nothing).startswith("Too few channels")
    for name in specialisation.MEANING:
        rows, preferred = specialisation.rows_of(name, nothing), specialisation.PREFERRED.get(name)
        assert dots_words("x", rows, preferred).count("silent") == 4
        figure = drawn(dots_figure(rows, preferred, ("1x1", 0)))
        assert sum("silent" in label for label in figure["layout"]["yaxis"]["ticktext"]) == 4
        assert [trace["x"] for trace in figure["data"]] == [[]] * 4
    assert specialisation.strongest_of(nothing) == {}


def test_every_channel_is_a_dot_and_counted_once() -> None:
    summary = made_up(dict.fromkeys(BRANCHES, 0.4))
    for name in specialisation.MEANING:
        rows, preferred = specialisation.rows_of(name, summary), specialisation.PREFERRED.get(name)
        figure = dots_figure(rows, preferred, ("5x5", 7))
        for kind in BRANCHES:
            (dots,) = named(figure, BRANCH_NAMES[kind])
            assert dots["customdata"] == list(range(60))  # the silent 61st has none
            assert dots["x"] == pytest.approx(getattr(summary[kind], name)[:60].tolist())
        (ring,) = named(figure, "picked")
        assert ring["x"] == pytest.approx([getattr(summary["5x5"], name)[7]])
        assert (ring["x"][0], ring["y"][0]) in zip(*(named(figure, "5×5")[0][axis] for axis in "xy"), strict=True)
        assert not named(dots_figure(rows, preferred, ("5x5", 60)), "picked")
        assert len(named(figure, "3×3 prefers")) == (preferred is not None)
    (bars,) = named(dots_figure(specialisation.rows_of("orientation", summary), specialisation.PREFERRED["orientation"],
                                None), "pool prefers")  # fmt: skip
    assert [count for count, value in bars["customdata"] if value == 30] == [60]
    assert sum(count for count, _ in bars["customdata"]) == 60
    counts = specialisation.count_nearest(np.array([1.0, 179, 29, np.nan]), np.array([0.0, 30, 90]), 180.0)
    assert counts.tolist() == [2, 1, 0]


def test_the_most_selective_channels_can_be_picked_by_keyboard() -> None:
    summary = made_up({"1x1": 0.2, "3x3": 0.4, "5x5": 0.6, "pool": 0.8})
    strongest = specialisation.strongest_of(summary)
    assert len(strongest) == len(specialisation.MEANING) * len(BRANCHES) * 3
    values = summary["5x5"].colour
    best = int(np.nanargmax(values))
    assert ("colour", "5x5", best) in strongest
    assert strongest["colour", "5x5", best] == (
        f"colour selectivity, 5×5: channel {best} ({number(float(values[best]))})"
    )


def test_the_summary_comes_on_request(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectivity, "ORIENTATIONS", (0, 90))
    monkeypatch.setattr(selectivity, "FREQUENCIES", (4.0, 16.0))
    monkeypatch.setattr(selectivity, "PHASES", (0.0, 90.0))
    page = opened("module")
    assert "larger filters prefer" in words(page)
    page.button(key="start-module-summary").click()
    page = finished(good(page.run()))
    assert "Which branch a channel sits in explains" in words(page)


def finished(page: AppTest) -> AppTest:
    """Waits for the work itself, then looks again."""
    assert page.session_state["scope.works"]["module-summary"].finished.wait(120)
    return good(page.run())


@pytest.mark.parametrize("choices", [{}, {"why__head": "aux2"}, {"why__target": "contrast", "why__class": "3"}])
def test_credit_is_about_what_the_page_why_explains(small: InferenceService, opened: Open, choices: Any) -> None:
    opened("module", module__sort="credit", **choices)
    page = opened("module", module__sort="credit", **choices)
    text = re.sub(r"\s+", " ", words(page))
    logits = small.look(PHOTO).trace.logits(choices.get("why__head", "main"))[0]
    best, second = logits.topk(2).indices.tolist()
    wanted = f"thing {best}" if "why__target" not in choices else f"thing 3 − thing {second}"
    assert f"Strongest credit for {wanted} at {choices.get('why__head', 'main')} first" in text


def test_credits_are_shares_of_the_score(
    small: InferenceService, monkeypatch: pytest.MonkeyPatch, tiny_classifier: Classifier
) -> None:
    chosen: dict[str, Any] = {}
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr(session, "get", lambda name, default: chosen.get(name, default))
    panel = Panel(PHOTO)
    about = ("main", Target(2, 4, "a contrast"))
    found = credit_order.credits_of(panel, "5b", about)
    # At 5b the score is the sum of all shares and the difference of the biases.
    trace, weights = small.look(PHOTO).trace, small.classifier.network
    bias = weights.classifier.bias[2] - weights.classifier.bias[4]
    score = float(trace.logits("main")[0, 2] - trace.logits("main")[0, 4])
    assert_close(found["output"].sum() + float(bias), score, scale=float(np.abs(found["output"]).sum()))
    view = atlas.View(credit=about)
    data = atlas.figure_data((panel,), panel, "5b", view)["nodes"]
    for kind, node in BRANCH_UNIT.items():
        lane = network.spec().block("5b").channels(kind)
        assert_close(found[node], found["output"][lane])
        assert (np.diff(found[node][list(data[node]["order"])]) <= 0).all()
        assert len(data[node]["credit"]) == len(found[node])
    assert "exact share of the logit" in credit_order.in_words(panel, "5b", about)

    # aux2 hangs after 4d: 5b can only speak of main. What names no class gives way to the answer.
    chosen |= {"option.why.head": "aux2", "option.why.target": "class", "option.why.class": "no such thing"}
    assert credit_order.asked(panel, "5b")[0] == "main"
    head, target = credit_order.asked(panel, "4d")
    assert (head, target.index) == ("aux2", int(trace.logits("aux2")[0].argmax()))


def test_parts_of_several_modules_are_off_together(small: InferenceService, opened: Open) -> None:
    page = opened("module", ablation__off=("5b:3x3:1", "9z:5x5", "5a:pool:9999"))
    page.button_group(key="ablation-off").set_value(["4d:5x5"])
    good(page.run())
    text = re.sub(r"\s+", " ", words(page))
    assert "Without 5×5 of 4d and channel 1 of 3×3 of 5b: 3 modules ran again" in text
    trace, spec = small.look(PHOTO).trace, small.classifier.network.spec
    result = ablate(small.classifier, trace, Ablation.parse(["4d:5x5", "5b:3x3:1"], spec))
    moved = result.top("main")[0]
    assert f"{moved.delta:+.2f}".replace("-", "−") in text
    state_off = page.session_state["scope.option.ablation.off"]
    assert set(state_off) == {"4d:5x5", "5b:3x3:1"}
    page.button(key="on-4d:5x5").click()
    assert "Without channel 1 of 3×3 of 5b: no module had to run again" in words(good(page.run()))
    page.button(key="ablation-clear").click()
    assert "pick one and see" in words(good(page.run()))
    assert ablation_panel.listed(["4d:1x1", "4d:pool", "5b:3x3:1"]) == "1×1, pool of 4d and channel 1 of 3×3 of 5b"


def test_bench_answers_cover_every_node(
    small: InferenceService, monkeypatch: pytest.MonkeyPatch, relative: Callable[..., float]
) -> None:
    monkeypatch.setattr(network, "service", lambda: small)
    shown = stimuli.as_photo(patterns.Edge(30), small.classifier.preprocessing)
    for node in NODES:
        found = module_answers.map_of(Unit("3b", node, 1, 0, 0), patterns.Edge(30))
        wanted = small.look(shown).trace.block("3b").node(node)[0, 1]
        assert relative(torch.from_numpy(found), wanted) < 1e-5
