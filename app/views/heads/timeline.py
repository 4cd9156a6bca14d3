"""The heads' time line in words, and where the followed class stands in each head."""

from __future__ import annotations

import html

from inception_model.analysis.timeline import Step, Timeline
from inception_model.drawing.numbers import percent, short


def followed_html(line: Timeline) -> dict[str, str]:
    """Head -> where the followed class stands in it, where its card does not list it."""
    return {
        step.head: f'<div class="scope-bar" style="--p:{step.probability:.2%}"><div>rank {step.rank}: '
        f"{html.escape(short(line.label))}</div><span>{percent(step.probability)}</span></div>"
        for step in line.steps
        if all(answer.index != line.index for answer in step.top)
    }


def in_words(line: Timeline) -> str:
    """Where the heads agree or change their mind, where the class stands, and how sure they are; as HTML."""
    sentences = [_story(line)]
    if len(line.steps) > 1:
        if not (line.agree and line.settled):
            sentences.append(_place(line))
        sentences.append(_certainty(line))
    sentences += [
        f"{head} (after {module}) was never trained in this checkpoint: it has no say"
        for head, module in line.untrained
    ]
    return " ".join(f"{sentence}." for sentence in sentences)


def _story(line: Timeline) -> str:
    first, *others = line.steps
    if not others:
        return f"{first.head} says {_says(first)}; no other head was trained, so there is no change to follow"
    if line.agree:
        count = "Both" if len(others) == 1 else "All three"
        path = ", ".join(f"{percent(step.answer.probability)} after {step.module}" for step in line.steps)
        return f"{count} heads say <b>{html.escape(short(first.answer.label))}</b>: {path}"
    story = f"{first.head} says {_says(first)}"
    for before, step in zip(line.steps, others, strict=False):
        kept = step.answer.index == before.answer.index
        told = f"keeps it ({percent(step.answer.probability)})" if kept else f"changes to {_says(step)}"
        story += f", {step.head} {told}"
    return story


def _says(step: Step) -> str:
    return f"<b>{html.escape(short(step.answer.label))}</b> ({percent(step.answer.probability)} after {step.module})"


def _place(line: Timeline) -> str:
    name = f"<b>{html.escape(short(line.label))}</b>"
    if line.settled is not None and line.settled is not line.steps[-1]:
        return f"{name} is first from {line.settled.module} on"
    places = " → ".join(str(step.rank) for step in line.steps)
    return f"{name} is in place {places} of {line.classes}"


def _certainty(line: Timeline) -> str:
    nats = [step.entropy for step in line.steps]
    path = " → ".join(f"{value:.2f}" for value in nats)
    if nats == sorted(nats, reverse=True):
        return f"Each head is surer than the one before: entropy {path} nats"
    surest = min(line.steps, key=lambda step: step.entropy)
    return f"{surest.head} is the surest: entropy {path} nats"
