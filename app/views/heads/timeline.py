"""The heads' time line in words, and where the followed class stands in each head."""

from __future__ import annotations

from markupsafe import Markup

from app.templates import render
from inception_model.analysis.timeline import Timeline


def followed_html(line: Timeline) -> dict[str, Markup]:
    """Head -> where the followed class stands in it, where its card does not list it."""
    return {
        step.head: render("heads_followed.html", step=step, label=line.label)
        for step in line.steps
        if all(answer.index != line.index for answer in step.top)
    }


def in_words(line: Timeline) -> Markup:
    """Where the heads agree or change their mind, where the class stands, and how sure they are."""
    nats = [step.entropy for step in line.steps]
    return render(
        "heads_story.html",
        line=line,
        surer=nats == sorted(nats, reverse=True),
        surest=min(line.steps, key=lambda step: step.entropy).head,
        entropies=" → ".join(f"{value:.2f}" for value in nats),
    )
