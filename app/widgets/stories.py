"""Stories of half a minute: each is looked for among the photos at hand, and then told step by step on the real pages.

What a story says are the numbers that the search found with the present weights; a step sets the choices of the page
that it leads to, and these stay when the story is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.jobs import story_search
from app.jobs.attribution import Question, words_of
from app.jobs.story_search import Asker, BranchOff, Disagreement, Found, Saving, Untrusted
from app.state import navigation, network, options, photos, selection, session
from app.state.panel import Panel
from app.widgets import guide, tour
from app.widgets.guide import Step
from inception_model.analysis.ablation import DEFAULT_FILL
from inception_model.architecture.spec import BRANCH_UNIT, HeadName
from inception_model.attribution import METHODS
from inception_model.cost.report import compute_report
from inception_model.drawing.numbers import amount, percent, short, signed
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.inference.classifier import Answer
from inception_model.inference.targets import AUTO


@dataclass(frozen=True)
class Story:
    """A kind of story: its title, how it is looked for on one photo (None: not there), how it is told, and what is said
    where no photo has it."""

    title: str
    search: Callable[[Panel, Asker], Found | None]
    tell: Callable[[Any], tuple[Step, ...]]
    missing: str


def _said(answer: Answer) -> str:
    return f"{short(answer.label)} ({percent(answer.probability)})"


def _explain(
    head: HeadName, method: str | None = None, layer: str | None = None, final: int | None = None,
    rival: int | None = None, trust: bool = False,
) -> None:  # fmt: skip
    """The choices of the page Why: the head's own answer, or one class rather than another."""
    session.set_option(options.WHY_HEAD, head)
    session.set_option(options.WHY_TARGET, AUTO if rival is None else "contrast")
    if rival is not None:
        session.set_option(options.WHY_CLASS, str(final))
        session.set_option(options.WHY_MINUS, str(rival))
    session.set_option(options.WHY_METHOD, method or options.WHY_METHOD.default)
    session.put(options.WHY_MODULE.state_name, layer)
    session.set_option(options.WHY_BRANCH, options.WHOLE)
    session.set_option(options.WHY_BASELINE, options.WHY_BASELINE.default)
    session.set_option(options.WHY_TRUST, trust)


def explain_answer(head: HeadName, final: int, rival: int | None) -> None:
    """From a callback: the page Why, with that class rather than the other, or the head's own answer."""
    _explain(head, final=final, rival=rival)
    navigation.go_to("why")


def _disagreement(found: Disagreement) -> tuple[Step, ...]:
    says = found.says
    head, final = list(says.items())[-1]
    rival = next(answer for answer in says.values() if answer.index != final.index)
    other = next(name for name, answer in says.items() if answer is rival)
    last, first = short(final.label), short(rival.label)

    def followed() -> None:
        session.set_option(options.HEADS_CLASS, final.index)

    return (
        Step(
            "look",
            "Heads that disagree",
            f"One photo, one network: {', '.join(f'{name} says {_said(answer)}' for name, answer in says.items())}.",
            ".scope-heads, .scope-head:last-child",
        ),
        Step(
            "heads",
            f"{last} on its way",
            f"The class {last} followed through the depth: dots are the heads, hollow ones are probes.",
            ".st-key-heads-charts, .st-key-heads-charts-later",
            followed,
        ),
        Step(
            "why",
            f"Why {last} and not {first}",
            f"Red speaks for {last} rather than {first}, what {other} said; blue the other way round.",
            ".st-key-why-map-figure",
            lambda: _explain(head, final=final.index, rival=rival.index),
        ),
    )


def _branch_off(found: BranchOff) -> tuple[Step, ...]:
    branch, was = f"{BRANCH_NAMES[found.branch]} of {found.module}", short(found.before.label)

    def off() -> None:
        selection.set_module(found.module, found.branch)
        session.set_option(options.ABLATION_FILL, DEFAULT_FILL)
        session.set_option(options.ABLATION_OFF, (f"{found.module}:{found.branch}",))

    def every() -> None:
        session.set_option(options.ABLATION_FILL, DEFAULT_FILL)
        session.set_option(options.LOOK_COLOUR, "effect")

    return (
        Step(
            "look",
            "A branch switched off",
            f"With all its branches {found.head} says {_said(found.before)}.",
            ".scope-head:last-child",
        ),
        Step(
            "module",
            f"Without {branch}",
            f"{found.head} now says {_said(found.after)}: the score of {was} changes by {signed(found.change)} logits.",
            ".abl, .abl-head:last-child",
            off,
        ),
        Step(
            "look",
            "Each branch in turn",
            f"Red lanes speak for {was}: without one its score falls. Blue ones hold it back.",
            ".st-key-map",
            every,
        ),
    )


def _saving(found: Saving) -> tuple[Step, ...]:
    row, report = found.cost, compute_report(network.spec(), network.checkpoint().preprocessing.size)
    branch, times = f"{BRANCH_NAMES[row.branch]} of {row.module}", row.naive.macs / row.cost.macs
    real, naive = report.modules_total()

    def number() -> None:
        selection.set_module(row.module, row.branch)
        selection.set_node(BRANCH_UNIT[row.branch], found.channel)
        session.set_option(options.MODULE_COMPUTATION, True)

    def count() -> None:
        selection.set_module(row.module)
        if selection.COST_MODULE in st.session_state:  # the page's own widget leads otherwise
            selection.set_cost_module(row.module)

    return (
        Step(
            "module",
            "What 1×1 saves",
            f"One number of {branch}, computed: first a 1×1 reduction, then the large filter on the few channels left.",
            ".st-key-computation",
            number,
        ),
        Step(
            "cost",
            f"Inside {row.module}",
            f"All numbers of {branch}: {amount(row.cost.macs)} multiply-adds. Without the reduction "
            f"{amount(row.naive.macs)}, {times:.1f} times as many.",
            ".st-key-cost-branches, .st-key-cost-branches-later",
            count,
        ),
        Step(
            "cost",
            "All modules",
            f"{amount(real.macs)} instead of {amount(naive.macs)}: {naive.macs / real.macs:.1f} times less work for as "
            "many outputs.",
            ".st-key-cost-modules, .st-key-cost-modules-later",
        ),
    )


def _untrusted(found: Untrusted) -> tuple[Step, ...]:
    def shown(question: Question, trust: bool) -> Callable[[], None]:
        return lambda: _explain(question.head, question.method, question.layer, trust=trust)

    asked, label = found.question, METHODS[found.question.method].label
    alike = found.found.similarity or 0.0
    steps = (
        Step(
            "why",
            "A map that can't be trusted",
            f"{label} draws what speaks for {words_of(asked.target)}. It looks like an explanation.",
            ".st-key-why-map-figure",
            shown(asked, False),
        ),
        Step(
            "why",
            "The test",
            f"With weights made random, layer by layer, the map stays nearly the same: mean rank correlation "
            f"{signed(alike)}, of 1. It shows the photo, not what was learned.",
            ".st-key-why-map-randomisation-drawing",
            shown(asked, True),
        ),
    )
    if found.witness is None:
        return steps
    other, passed = found.witness
    return (
        *steps,
        Step(
            "why",
            "A map that passes",
            f"{METHODS[other.method].label} under the same test: {signed(passed.similarity or 0.0)}. It depends on the "
            "weights.",
            ".st-key-why-map-randomisation-drawing",
            shown(other, True),
        ),
    )


STORIES: dict[str, Story] = {
    "heads": Story(
        "Heads that disagree", story_search.disagreement, _disagreement, "On every photo here all heads agree."
    ),
    "branch": Story(
        "A branch switched off", story_search.branch_off, _branch_off,
        "On no photo here one branch alone decides the answer.",
    ),
    "saving": Story(
        "What 1×1 saves", story_search.saving, _saving, "The branch that saves most answers to no photo here."
    ),
    "trust": Story(
        "A map that can't be trusted", story_search.untrusted, _untrusted,
        "Every map that was tested on these photos depends on the weights.",
    ),
}  # fmt: skip
"""By name, in the order in which they are offered."""


def wanted() -> str | None:
    """The story that is being looked for."""
    return session.option(options.STORY_WANTED)


def want(name: str | None) -> None:
    """From a callback: looks for a story; None: for none."""
    session.set_option(options.STORY_WANTED, name)
    if name is not None:
        _leave()


def begin(name: str, found: Found) -> None:
    """Tells the story that was found, from its first step on, about the one photo that it is about."""
    session.set_option(options.STORY_WANTED, None)
    session.set_option(options.TOUR_STEP, 0)
    session.put(options.STORY_TOLD.state_name, (name, found, network.classifier_key()))
    photos.set_beside(None)
    photos.select_photo(found.sha256)
    _go(1)


def _told() -> tuple[Step, ...]:
    """The steps of the story that is told; none where there is no such, or another network or photo was chosen since:
    its numbers are of the ones that it began with."""
    told = session.option(options.STORY_TOLD)
    if told is None or told[2] != network.classifier_key() or photos.beside_photo() is not None:
        return ()
    if photos.first_photo().sha256 != told[1].sha256:
        return ()
    return STORIES[told[0]].tell(told[1])


def _go(step: int) -> None:
    steps = _told()
    if not 0 < step <= len(steps):
        _leave()
        return
    session.set_option(options.STORY_STEP, step)
    choose = steps[step - 1].choose
    if choose is not None:
        choose()
    navigation.go_to(steps[step - 1].page)


def _leave() -> None:
    session.set_option(options.STORY_TOLD, None)
    session.set_option(options.STORY_STEP, 0)


def show(page: str) -> None:
    """The card: of the story that is told, else of the tour."""
    steps = _told()
    step = guide.follow(steps, session.option(options.STORY_STEP), page)
    if not steps or not step:
        tour.show(page)
        return
    session.set_option(options.STORY_STEP, step)
    guide.show("story", steps, step, _go, asked=True)
