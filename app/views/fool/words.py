"""The page Fool in words and small tables."""

from __future__ import annotations

from markupsafe import Markup

from app.charts.fooling import flip_words
from app.jobs.fooling import Mixture
from app.state import network
from app.templates import render
from inception_model.architecture.address import head_modules
from inception_model.architecture.spec import HeadName
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.numbers import number, percent, short
from inception_model.inference.classifier import Answer
from inception_model.robustness.asking import Fooled, enlarged, picture_of
from inception_model.robustness.pgd import Norm
from inception_model.robustness.strengths import Strengths

NORM_WORDS: dict[Norm, str] = {"linf": "each value (L∞)", "l2": "all together (L2)"}


def sentence(swept: list[Strengths], head: HeadName, answer: Answer) -> str:
    """The head's answer, and the weakest of each disturbance that turns it."""
    begin = f"{head} says {short(answer.label)}, {percent(answer.probability)}."
    if not swept:
        return f"{begin} How much must happen to the photo until it says something else?"
    turned = [(each, each.flips(head)) for each in swept]
    flips = [f"{_name(each)} {each.kind.words(found[0].strength)}" for each, found in turned if found]
    stays = [_name(each) for each, found in turned if not found]
    parts = [begin]
    parts += [f"Enough to turn it: {', '.join(flips)}."] if flips else []
    parts += [f"Not turned at any strength: {', '.join(stays)}."] if stays else []
    return " ".join(parts)


def _name(each: Strengths) -> str:
    label = each.kind.label
    return label if label[:2].isupper() else label.lower()


def flips_html(found: Strengths) -> Markup:
    """A line per head: its first other answer, on either side."""
    rows = [
        (head, [flip_words(found, flip, network.label) for flip in found.flips(head)]) for head in found.answers
    ]  # fmt: skip
    return render("fool_flips.html", rows=rows)


def live_html(now: Mixture, clean: Mixture, name: str) -> Markup:
    """The square as the network sees it now, and what the heads say to it; the deepest head first."""
    modules = head_modules(network.spec())
    rows = [
        (head, modules[head], answers, clean.top[head][0], answers[0].index != clean.top[head][0].index)
        for head, answers in reversed(now.top.items())
    ]
    return render("fool_live.html", square=now.square, photo=name, rows=rows)


def pictures_html(found: Fooled) -> Markup:
    """The photo, the change enlarged, and the changed photo."""
    change = found.change
    picture, times = enlarged(change.change)
    pictures = [
        (picture_of(change.clean), "the photo", f"{short(found.before.label)} {percent(found.before.probability)}"),
        (picture, f"the change, {number(times)} × enlarged", "grey: as it was"),
        (
            picture_of(change.changed),
            "the changed photo",
            f"{short(found.after.label)} {percent(found.after.probability)}",
        ),
    ]
    drawn = [(data_url(png_bytes(image)), title, says) for image, title, says in pictures]
    return render("fool_pictures.html", pictures=drawn, head=found.question.head)


def attack_words(found: Fooled) -> str:
    """How large the change is, what was tried, and whether a picture of 8 bits can hold it."""
    change, head = found.change, found.question.head
    if not change.reached:
        aim = "" if change.goal.target is None else f" {short(network.label(change.goal.target))}"
        return (
            f"No change up to {number(change.below)}/255 was found that makes {head} say"
            f"{aim or ' something else'}: what is shown is the nearest miss."
        )
    size = (
        f"no value changes by more than {number(change.size)}/255"
        if change.norm == "linf"
        else f"the change as a whole is only {number(change.size)}/255 long, {number(change.mean)}/255 per value (root "
        "mean square)"
    )
    turn = f"{head} says {short(found.after.label)} instead of {short(found.before.label)} although {size}."
    tried = (
        f" It is the smallest of {len(change.attempts)} bounds that were tried; inside {number(change.below)}/255 "
        "none was found, which is no proof that there is none."
        if change.asked is None
        else ""
    )
    if change.norm != "linf":
        stored = ""
    elif change.whole is None:
        stored = " Rounded to the 8 bits of a picture file it is lost."
    elif change.asked is None:
        stored = f" A picture file, which knows whole steps only, needs {change.whole}/255."
    else:
        stored = " Rounded to the 8 bits of a picture file it still does."
    return turn + tried + stored


def turn_words(found: Fooled) -> str:
    """Where on its way the answer turns, and how far the activations are apart."""
    depth, turn = found.depth, found.depth.turn
    first, last = next(iter(depth.apart)), found.depth.readings[-1].module
    apart = (
        f"The activations differ by {depth.apart[first]:.1%} after {first} and by {depth.apart[last]:.1%} after {last}."
    )
    if turn is None:
        return f"The answer does not turn. {apart}"
    where = f"{turn.head} itself" if turn.head is not None else f"the probe after {turn.module}"
    before = depth.readings[: depth.readings.index(turn)]
    early = (
        " Until then every reading prefers the first answer."
        if before and all(each.lead.disturbed > 0 for each in before)
        else ""
    )
    return f"The answer turns at {turn.module}: from {where} on, {short(found.after.label)} leads.{early} {apart}"


def depth_html(found: Fooled) -> Markup:
    """A row per reading: what it says of both, and how far the activations of its module are apart."""
    return render("fool_depth.html", depth=found.depth, first=found.before, second=found.after)
