"""Stories: what a search finds is what the network does, each step sets the choices that it speaks of, and a story that
no photo has is not told."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import background, story_search
from app.jobs.attribution import ask
from app.jobs.background import Job
from app.state import navigation, network
from app.state.panel import Panel
from app.widgets import guide, stories
from inception_model.analysis.ablation import Ablation, ablate
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.cost.layers import node_widths
from inception_model.images.samples import sample_photo, sample_photos
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from inception_model.trust import Randomisation
from tests.app.asking import good
from tests.app.two_photos import CAT, CUP, words


@pytest.fixture
def asked(small: InferenceService, kept: dict[str, Any]) -> story_search.Asker:
    """Answers every job at once; the session is a dictionary."""

    def answer(panel: Panel | None, job: Job) -> Any:
        return job.compute(small.classifier.twin(), lambda *_: None, threading.Event())

    return answer


def told(name: str, found: story_search.Found, kept: dict[str, Any]) -> dict[str, list[Any]]:
    """Goes through all steps: page -> what the session keeps after each that leads there."""
    stories.begin(name, found)
    seen: dict[str, list[Any]] = {}
    for step in range(1, len(stories.STORIES[name].tell(found)) + 1):
        stories._go(step)
        seen.setdefault(kept[navigation.GO_TO], []).append(dict(kept))
    assert kept["photo"] == found.sha256
    assert kept["beside"] is None
    return seen


def test_heads_that_disagree(small: InferenceService, asked: story_search.Asker, kept: dict[str, Any]) -> None:
    found = story_search.disagreement(Panel(CAT), asked)
    answers = {name: int(small.look(CAT).trace.logits(name)[0].argmax()) for name in small.classifier.trained_heads}
    assert len(set(answers.values())) > 1  # of this network
    assert found is not None
    assert {name: answer.index for name, answer in found.says.items()} == answers
    seen = told("heads", found, kept)
    assert list(seen) == ["look", "heads", "why"]
    assert seen["heads"][0]["option.heads.class"] == answers["main"]
    why = seen["why"][0]
    assert (why["option.why.target"], why["option.why.class"]) == ("contrast", str(answers["main"]))
    assert int(why["option.why.minus"]) in answers.values()
    same = dict.fromkeys(found.says, found.says["main"])
    assert story_search.disagreement(Panel(CAT), lambda panel, job: same) is None


def test_the_branch_without_which_the_answer_is_another(
    small: InferenceService, asked: story_search.Asker, kept: dict[str, Any]
) -> None:
    found = next(found for photo in sample_photos() if (found := story_search.branch_off(Panel(photo), asked)))
    photo = next(photo for photo in sample_photos() if photo.sha256 == found.sha256)
    trace = small.look(photo).trace
    before = trace.logits("main")[0]
    alone = {
        (module, kind): ablate(small.classifier, trace, Ablation((Part(module, kind),))).after.main[0]
        for module in small.classifier.checkpoint.spec.module_names
        for kind in BRANCHES
    }
    index = int(before.argmax())
    turned = {place: after for place, after in alone.items() if int(after.argmax()) != index}
    place = min(turned, key=lambda place: float(turned[place][index]))
    assert (found.module, found.branch) == place
    assert (found.before.index, found.after.index) == (index, int(turned[place].argmax()))
    assert found.change == pytest.approx(float(turned[place][index] - before[index]), rel=1e-4)
    seen = told("branch", found, kept)
    assert seen["module"][0]["option.ablation.off"] == (f"{found.module}:{found.branch}",)
    assert seen["look"][-1]["option.look.colour"] == "effect"


def test_the_branch_that_saves_most(small: InferenceService, asked: story_search.Asker, kept: dict[str, Any]) -> None:
    found = story_search.saving(Panel(CAT), asked)
    assert found is not None
    row, spec = found.cost, small.classifier.checkpoint.spec
    # By hand: k x k filters straight on the input, or on the few channels of a 1x1 reduction.
    ratios = {}
    for name in spec.module_names:
        block = spec.block(name)
        for kind, reduced, width, kernel in (
            ("3x3", block.three_reduce, block.three, 3),
            ("5x5", block.five_reduce, block.five, block.five_kernel),
        ):
            straight = block.in_channels * width * kernel**2
            ratios[name, kind] = straight / (block.in_channels * reduced + reduced * width * kernel**2)
    assert ratios[row.module, row.branch] == pytest.approx(max(ratios.values()))
    peaks = small.look(CAT).trace.block(row.module).branches[row.branch].output[0].flatten(1).max(dim=1).values
    assert int(peaks.argmax()) == found.channel < node_widths(spec.block(row.module))[BRANCH_UNIT[row.branch]]
    seen = told("saving", found, kept)
    assert list(seen) == ["module", "cost"]
    module = seen["module"][0]
    assert (module["module"], module["branch"], module["channel"]) == (row.module, row.branch, found.channel)
    assert module["option.module.computation"] is True


def test_a_map_that_fails_and_one_that_passes(
    small: InferenceService, kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(panel: Panel | None, job: Job) -> Any:
        if job.key[1] == "map":  # type: ignore[index]
            return None
        similar = {"guided_backprop": 0.9, "deconvolution": 0.2, "guided_gradcam": 0.9, "gradcam": 0.1}
        values = ((similar[job.key[2].method],),)  # type: ignore[index]
        return Randomisation("", ("classifier",), values, values, 0.5)

    found = story_search.untrusted(Panel(CAT), answer)
    assert found is not None
    assert found.witness is not None
    target = Target.parse("auto", small.classifier.checkpoint.labels, small.look(CAT).trace.logits("main")[0])
    layer = small.classifier.checkpoint.spec.module_names[-1]
    assert found.question == ask("guided_backprop", "main", target, layer, "black")
    first, second, third = told("trust", found, kept)["why"]
    chosen = [(step["option.why.method"], step["option.why.trust"]) for step in (first, second, third)]
    assert chosen == [("guided_backprop", False), ("guided_backprop", True), ("gradcam", True)]
    monkeypatch.setattr(story_search, "SUSPECTS", ("deconvolution",))
    assert story_search.untrusted(Panel(CAT), answer) is None


def test_the_chosen_photo_is_searched_first_and_generated_pictures_never(kept: dict[str, Any]) -> None:
    kept["photo"] = sample_photo("rocket").sha256
    names = [panel.photo.name for panel in story_search.film()]
    assert names[0] == "rocket"
    assert sorted(names) == sorted(photo.name for photo in sample_photos())


def test_a_story_is_told_where_it_is_found_and_else_left_out(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stories.STORIES["saving"]
    found: list[Panel] = []

    def nowhere(panel: Panel, asked: story_search.Asker) -> None:
        found.append(panel)

    monkeypatch.setitem(stories.STORIES, "saving", dataclasses.replace(whole, search=nowhere))
    test = page("look", beside=None, story__wanted="saving")
    assert [panel.photo.sha256 for panel in found] == [panel.sha256 for panel in sample_photos()]
    assert whole.missing in words(test)
    assert "scope.option.story.told" not in test.session_state
    # What was cancelled ends the search, also where its answer came just before.
    answered = dataclasses.replace(whole, search=lambda panel, asked: asked(panel, Job("", lambda *_: None)))
    monkeypatch.setitem(stories.STORIES, "saving", answered)
    cancelled = background.Work("")
    cancelled.cancel.set()
    with monkeypatch.context() as patch:
        patch.setattr(background, "work_of", lambda slot: cancelled)
        assert "Cancelled." in words(good(test.run()))
    assert test.session_state["scope.option.story.wanted"] is None
    monkeypatch.setitem(stories.STORIES, "saving", whole)
    good(test.button(key="story-saving").click().run())
    assert test.session_state["scope.option.story.told"][1].sha256 == CAT.sha256
    assert test.session_state["scope.option.story.step"] == 1
    assert whole.missing not in words(test)


def test_a_story_ends_where_another_photo_is_looked_at(kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers are about the photo, and the network, that it began with."""
    step = guide.Step("look", "title", "text", ".about")
    whole = stories.STORIES["saving"]
    monkeypatch.setitem(stories.STORIES, "saving", dataclasses.replace(whole, tell=lambda found: (step,)))
    kept |= {"photo": CAT.sha256, "beside": None}
    kept["option.story.told"] = ("saving", Panel(CAT).photo, network.classifier_key())
    assert stories._told() == (step,)
    for change in ({"photo": CUP.sha256}, {"beside": CUP.sha256}):
        before = {name: kept[name] for name in change}
        kept |= change
        assert stories._told() == ()
        kept |= before
    assert stories._told() == (step,)
