"""Two photos beside each other: the two halves of a page, and what Look, Module, Heads and Why show in them.

Without a second photo each of these draws what the page always shows.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app import state, theme
from app.figures import attribution_map, head_cards, trust_badge
from app.jobs import background
from app.jobs.attribution import Question, explaining, words_of
from app.views.module import channel as channel_view
from app.views.module.atlas import View
from app.views.why import choices, map
from app.widgets import filmstrip, teach
from app.widgets.persistent_choice import kept
from inception_model.architecture.spec import HeadName
from inception_model.attribution import Attribution
from inception_model.drawing.colormaps import full_scale
from inception_model.drawing.numbers import short

_CSS = """<style>
p.scope-name { margin: 4px 0 0; padding: 0 0 4px; border-bottom: 1px solid var(--line); font-weight: 700;
  overflow-wrap: anywhere; }
@media (min-width: 1180px) {
  [data-testid="stColumn"] .scope-heads { gap: 8px; grid-template-columns: repeat(auto-fit, minmax(172px, 1fr)); }
  [data-testid="stColumn"] .scope-photo { min-height: 330px; }
  [data-testid="stColumn"] .scope-photo img { max-height: 280px; }
}
</style>"""


def name() -> None:
    """The name of the photo that is looked at, above its half; nothing where there is only one."""
    if state.beside_photo() is not None:
        st.html(f'{_CSS}<p class="scope-name">{html.escape(state.current_photo().name)}</p>')


def halves(draw: Callable[[], None]) -> None:
    """Draws the photo's part of a page; where two are compared once for each, side by side, below their names.

    Widgets inside need `state.half_key`, their callbacks `state.here`. A heading's title stands once above both.
    """
    second = state.beside_photo()
    if second is None:
        draw()
        return
    with theme.titles_in(st.empty()):
        for column, photo in zip(st.columns(2, gap="medium"), (state.first_photo(), second), strict=True):
            with column, state.looking_at(photo):
                name()
                draw()


def alone() -> None:
    """Says that what follows on the page is about the first photo only."""
    if state.beside_photo() is not None:
        st.html(
            f'<p class="scope-cap" style="margin-top:22px">From here on: '
            f"<b>{html.escape(state.first_photo().name)}</b> alone.</p>"
        )


def look() -> None:
    """The first screen: photo, filmstrip and three heads; two of them under one filmstrip."""
    if state.beside_photo() is None:
        left, right = st.columns([300, 896], gap="medium")
        with left:
            filmstrip.show()
        with right:
            head_cards.show()
            teach.note("heads")
        return
    filmstrip.strip()
    halves(_photo_and_heads)
    teach.note("heads")
    teach.note("beside")
    filmstrip.upload()


def _photo_and_heads() -> None:
    filmstrip.picture()
    head_cards.show()


def channel(view: View) -> None:
    """The picked channel under the microscope, on one scale for both photos, each at its own peak."""
    if state.beside_photo() is None:
        channel_view.show(view)
        return
    unit = channel_view.current_unit()
    scale = channel_view.scale_of(unit, view)
    with channel_view.card():
        channel_view.title(unit)
        layers = channel_view.layers_choice()

        def part() -> None:
            here = channel_view.current_unit()
            channel_view.picture_part(here, scale, layers)
            channel_view.facts_part(here, scale, layers)

        halves(part)
        teach.note("channel")
    halves(lambda: channel_view.position_part(channel_view.current_unit()))
    teach.note("profiles")


def maps(questions: Callable[[], Sequence[Question]], shared: bool, patience: float) -> None:
    """A map per head: three across for one photo; for two a row per head, its pair on one scale.

    `questions` are asked about the photo that is looked at; `shared` puts all maps on one scale.
    """

    def known() -> tuple[str, dict[HeadName, tuple[Question, Attribution]]]:
        asked = questions()
        jobs = {question.key: explaining(question) for question in asked}
        found = background.answers("heads-maps", jobs, "Maps", patience=patience)
        return state.current_photo().sha256, {q.head: (q, found[q.key]) for q in asked if q.key in found}

    found = dict(state.of_each(known))
    tops: dict[HeadName, float] = {}
    for head, (_, attribution) in (pair for half in found.values() for pair in half.items()):
        tops[head] = max(tops.get(head, 0.0), full_scale(attribution.heatmap.numpy()))

    def draw(head: HeadName) -> None:
        half = found[state.current_photo().sha256]
        if head in half:
            _head_map(*half[head], max(tops.values()) if shared else tops[head])

    if len(found) == 1:
        for column, head in zip(st.columns(3, gap="medium"), tops, strict=False):
            with column:
                draw(head)
    else:
        for head in tops:
            halves(partial(draw, head))


def _head_map(question: Question, attribution: Attribution, scale: float) -> None:
    words = short(words_of(question.target))
    attribution_map.show(
        attribution,
        f"{question.head} · at {question.layer} · {words}",
        f"heads-{question.head}",
        scale=scale,
        side=380,
    )
    if attribution.note:
        st.caption(attribution.note)


def why(question: Question) -> None:
    """The map that the page Why is about; for two photos the same question asked of both, with the sums of each."""
    if state.beside_photo() is None:
        map.show(question)
        teach.note("attribution")
        return
    with st.container(key="why-beside-choices", horizontal=True, gap="medium", vertical_alignment="center"):
        shared = kept(st.toggle, "One scale for both", "why.beside.shared", True)
        map.colours()
    found = state.of_each(lambda: map.answer(question))
    ends = state.option("why.ends", "99%")
    scales = [attribution_map.scale_of(m, ends) for m in found if m is not None]

    def part() -> None:
        attribution = state.recall(question.key)
        if attribution is None:
            st.html('<span class="scope-mut">The map is on its way.</span>')
            return
        scale = max(scales) if shared else attribution_map.scale_of(attribution, ends)
        attribution_map.show(
            attribution,
            choices.in_words(question),
            "why-map-figure",
            scale=scale,
            strength=state.option("why.strength", 60) / 100,
        )
        trust_badge.show(question, attribution, "why-map", auto=True)
        theme.key_values(attribution_map.facts(attribution))

    halves(part)
    teach.note("attribution")
