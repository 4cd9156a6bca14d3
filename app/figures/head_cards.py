"""The three heads side by side: top-5 with bars, and in words where they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup

from app.state import network
from app.state.panel import Panel
from app.templates import render
from inception_model.analysis.timeline import entropy
from inception_model.architecture.address import head_modules
from inception_model.architecture.spec import HeadName
from inception_model.inference.classifier import Answer


@dataclass(frozen=True)
class HeadView:
    """What one head says about one photo. `top` is empty where the head was never trained."""

    name: HeadName
    after: str
    trained: bool
    top: tuple[Answer, ...]
    entropy: float
    """Of its probabilities, in nats: 0 is certain, ln(classes) knows nothing."""
    calibrated: bool = False
    """Whether its probabilities are those at a temperature."""

    def answer(self) -> Answer:
        """Its most probable class; only where it was trained."""
        return self.top[0]

    def place_of(self, answer: Answer) -> int | None:
        """The place of that class among `top`, from 1; None where it is not among them."""
        return next((place for place, own in enumerate(self.top, 1) if own.index == answer.index), None)


def head_views(panel: Panel, count: int = 5) -> list[HeadView]:
    """The heads that the network has, in the order in which the photo reaches them."""
    classifier, trace = network.classifier(), panel.trace()
    views = []
    for name, place in head_modules(network.spec()).items():
        trained = name in classifier.trained_heads
        logits = trace.logits(name)[0]
        top = tuple(classifier.top(logits, name, count)) if trained else ()
        nats = float(entropy(trace.probabilities(name)[0]))
        views.append(HeadView(name, place, trained, top, nats, name in classifier.temperatures))
    return views


def cards_html(views: list[HeadView], below: Mapping[str, Markup] | None = None) -> Markup:
    """The cards; `below`: head -> markup at the foot of its card."""
    return render("head_cards.html", views=views, below=below or {})


def in_words(views: list[HeadView]) -> Markup:
    """One sentence on where the trained heads agree, and their entropies."""
    trained = [view for view in views if view.trained]
    agree = len({view.answer().index for view in trained}) == 1
    return render("head_words.html", trained=trained, agree=agree)


def show(panel: Panel) -> None:
    """The cards and the sentence below them; on narrow screens the sentence and the deepest head come first."""
    views = head_views(panel)
    with st.container(key=panel.widget_key("heads-answers")):
        st.html(cards_html(views))
        st.html(in_words(views))
