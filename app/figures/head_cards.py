"""The three heads side by side: top-5 with bars, and in words where they agree."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from app.state import network
from app.state.panel import Panel
from app.static import style
from inception_model.analysis.timeline import entropy
from inception_model.architecture.address import head_modules
from inception_model.architecture.spec import HeadName
from inception_model.drawing.numbers import percent, short
from inception_model.inference.classifier import Answer

_CSS = f"<style>\n{style('head_cards')}</style>"


@dataclass(frozen=True)
class HeadView:
    """What one head says about one photo. `top` is empty where the head was never trained."""

    name: HeadName
    after: str
    trained: bool
    top: tuple[Answer, ...]
    entropy: float
    """Of its probabilities, in nats: 0 is certain, ln(classes) knows nothing."""

    def answer(self) -> Answer:
        """Its most probable class; only where it was trained."""
        return self.top[0]


def head_views(panel: Panel, count: int = 5) -> list[HeadView]:
    """The heads that the network has, in the order in which the photo reaches them."""
    classifier, trace = network.service().classifier, panel.trace()
    views = []
    for name, place in head_modules(network.spec()).items():
        trained = name in classifier.trained_heads
        logits = trace.logits(name)[0]
        top = tuple(classifier.top(logits, count)) if trained else ()
        views.append(HeadView(name, place, trained, top, float(entropy(logits.softmax(0)))))
    return views


def cards_html(views: list[HeadView], below: Mapping[str, str] | None = None) -> str:
    """The cards as HTML, every word escaped; `below`: head -> HTML at the foot of its card."""
    below = below or {}
    return _CSS + '<div class="scope-heads">' + "".join(_card(v, below.get(v.name, "")) for v in views) + "</div>"


def _card(view: HeadView, below: str) -> str:
    rows = "".join(
        f'<div class="scope-bar{" first" if rank == 0 else ""}" style="--p:{a.probability:.2%}">'
        f'<div title="{html.escape(a.label)} ({html.escape(a.wnid)}), logit {a.logit:+.2f}">'
        f"{html.escape(short(a.label))}</div><span>{percent(a.probability)}</span></div>"
        for rank, a in enumerate(view.top)
    )
    if not view.trained:
        rows = (
            '<p class="scope-untrained">Never trained in this checkpoint. What it computes is noise, '
            "so it is not shown as a prediction.</p>"
        )
    return (
        f'<section class="scope-head" style="--c:var(--{view.name})" aria-label="{view.name}">'
        f"<h3>{view.name} <small>after {view.after}</small></h3>{rows}{below}</section>"
    )


def in_words(views: list[HeadView]) -> str:
    """One sentence on where the trained heads agree, and their entropies, as HTML."""
    trained = [view for view in views if view.trained]
    if not trained:
        return "No head of this checkpoint was ever trained: it has no prediction to show."
    last = trained[-1]
    final = last.answer()
    name = f"<b>{html.escape(short(final.label))}</b>"
    others = trained[:-1]
    if not others:
        sentence = f"{last.name} says {name} ({percent(final.probability)}); no other head was trained."
    elif all(view.answer().index == final.index for view in others):
        count = {1: "Both", 2: "All three"}[len(others)]
        steps = ", ".join(f"{percent(v.answer().probability)} after {v.after}" for v in trained)
        sentence = f"{count} heads agree on {name}: {steps}."
    else:
        sentence = f"{last.name} says {name} ({percent(final.probability)}). " + " ".join(
            _against(view, final) for view in others
        )
    entropies = " → ".join(f"{view.entropy:.1f}" for view in trained)
    return f'{sentence} <span class="scope-mut">Entropy {entropies} nats.</span>'


def _against(view: HeadView, final: Answer) -> str:
    first = view.answer()
    if first.index == final.index:
        return f"{view.name} agrees ({percent(first.probability)})."
    says = f"{view.name} says <b>{html.escape(short(first.label))}</b> ({percent(first.probability)})"
    rank = next((i for i, a in enumerate(view.top, 1) if a.index == final.index), None)
    where = (
        f"and has {html.escape(short(final.label))} in place {rank}"
        if rank
        else (f"and does not have {html.escape(short(final.label))} among its first {len(view.top)}")
    )
    return f"{says} {where}."


def show(panel: Panel) -> None:
    """The cards and the sentence below them."""
    views = head_views(panel)
    st.html(cards_html(views))
    st.html(f'<div class="scope-say">{in_words(views)}</div>')
