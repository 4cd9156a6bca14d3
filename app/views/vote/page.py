"""Vote: the paper's 144 views of a photo, what each says, and how the answer forms as they are averaged."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import theme
from app.charts import votes as votes_chart
from app.figures import network_line
from app.jobs import vote as jobs
from app.state import network, operator, options, session
from app.state.panel import Panel, panels
from app.templates import as_text, render
from app.views.vote import sheet, words
from app.widgets import chart, filmstrip, halves, present, progress, teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.architecture.spec import HeadName
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.images.crops import CROPS
from inception_model.inference.classifier import Classifier
from inception_model.inference.voting import EnsembleError, Votes, check_ensemble, together


def choose_head(heads: tuple[HeadName, ...]) -> HeadName:
    """Whose answers are shown; the deepest trained head's at first."""
    chosen: str = persistent_choice(
        st.segmented_control, "Head", options.VOTE_HEAD.otherwise(heads[-1]), heads, options=list(heads), required=True,
    )  # fmt: skip
    return next(head for head in heads if head == chosen)


def choose_models() -> list[Classifier]:
    """The networks that vote beside the chosen one; what can't vote with it is named and left out."""
    own = network.settings()[0]
    others = {name: place for name, place in operator.checkpoints().items() if place != own}
    if not others:
        st.html(render("vote_alone.html", own=network.checkpoint().name))
        return []
    kept = [name for name in session.option(options.VOTE_MODELS) if name in others]
    session.set_option(options.VOTE_MODELS, tuple(kept))
    names = persistent_choice(
        st.multiselect, "Models that vote with it", options.VOTE_MODELS, options=list(others),
        placeholder="one model", help="Checkpoints of the same classes and preprocessing",
    )  # fmt: skip
    found: list[Classifier] = []
    for name in names:
        try:
            other = network.member(others[name])
            check_ensemble([network.service().classifier, *found, other])  # two of them may be copies of one file
            found.append(other)
        except (CheckpointError, EnsembleError, ValueError, OSError) as error:
            st.warning(as_text(f"{name} doesn't vote: {error}".replace(others[name], name)))
    return found


def ask(panel: Panel, others: list[Classifier]) -> Votes | None:
    """What all networks say to all views; None as long as something is missing, whose progress is shown."""
    asked = [jobs.vote_job(panel), *(jobs.vote_job(panel, other) for other in others)]
    found = progress.answers(panel, "vote", asked, f"{len(CROPS)} views", low_priority=True)
    return together([found[job.key] for job in asked]) if len(found) == len(asked) else None


def show(panel: Panel, votes: Votes, head: HeadName, views: int, others: list[Classifier]) -> None:
    """The average and its way there, every view, where they disagree, and the price."""
    if head not in votes.probabilities:
        st.warning(as_text(f"{head} was not trained in all of these networks: choose another head."))
        return
    classifier = network.service().classifier
    left, right = st.columns([380, 816], gap="medium")
    with left:
        st.html(words.average_html(panel, votes, head, views))
    with right:
        running = votes.running(head)
        ranking = words.leaders(votes, head, views)
        labels = [network.label(index) for index in ranking]
        chart.later(
            partial(votes_chart.running_figure, running[:, ranking].T.tolist(), labels, views),
            votes_chart.HEIGHT,
            "vote-running",
            votes_chart.running_words(running[:, ranking].T.tolist(), labels, views),
            "running-average",
        )
    teach.note("votes")
    theme.heading(
        "Every view and its answer",
        "The photo at four sizes, three squares of each, six crops of each square, and below them their mirrors. "
        f"{words.legend(votes, head, views)} Click a view to see it large. (Paper, section 7.)",
    )
    sheet.show(panel, votes, head, views)
    if present.on():
        return
    theme.heading("Where the votes disagree", words.disagreement(votes, head, views))
    st.html(words.agreement_html(panel, votes, head, views))
    theme.heading(
        "What it costs",
        words.cost(votes, classifier, [jobs.macs_of_a_view(each) for each in (classifier, *others)], views),
    )


def main() -> None:
    """The page."""
    filmstrip.strip("vote-film")
    network_line.show("vote")
    shown = panels()
    first = shown[0]
    heads = network.trained_heads()
    if not heads:
        theme.heading("One photo, 144 votes", "No head of this checkpoint was trained, so none of them can vote.")
        return
    title = st.container()
    with st.container(key="vote-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        head = choose_head(heads)
        views = persistent_choice(
            st.slider, "Views that are averaged", options.VOTE_VIEWS, min_value=1, max_value=len(CROPS), width=420,
        )  # fmt: skip
        others = choose_models()
    votes = ask(first, others)
    with title:
        theme.heading("One photo, 144 votes", words.sentence(first, votes, head, views))
        if cautions := words.cautions(first):
            st.html(render("quiet.html", text=cautions))
    halves.alone(shown)
    if votes is not None:
        show(first, votes, head, views, others)


main()
