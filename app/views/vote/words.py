"""The page Vote in words and small tables: the average, who says otherwise, and the price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from app.state import network
from app.state.panel import Panel
from app.templates import render
from inception_model.architecture.spec import HeadName
from inception_model.cost.paper_figures import VOTING
from inception_model.drawing.numbers import amount, percent, short
from inception_model.images.crops import COUNTS, CROPS, PLACES, SCALES, SQUARES, Crop, enlarged_by, scaled, square_names
from inception_model.inference.classifier import Classifier
from inception_model.inference.voting import Votes

LEADERS = 3
"""Classes whose running average is drawn."""


def leaders(votes: Votes, head: HeadName, views: int) -> list[int]:
    """The first classes of the average over so many views."""
    found: list[int] = votes.averaged(head, views).topk(min(LEADERS, len(votes.averaged(head)))).indices.tolist()
    return found


def said(votes: Votes, head: HeadName) -> list[int]:
    """The first class of every view, all models together."""
    found: list[int] = votes.of_crops(head).argmax(1).tolist()
    return found


def sentence(panel: Panel, votes: Votes | None, head: HeadName, views: int) -> str:
    """What the average says, and how many views say the same by themselves."""
    if votes is None or head not in votes.probabilities:
        return (
            "The paper's answer is an average over 144 views of one photo: four sizes, three squares, six crops, and "
            "their mirror images. (Paper, section 7.)"
        )
    average = votes.averaged(head, views)
    best = int(average.argmax())
    agree = said(votes, head)[:views].count(best)
    trace = panel.trace().probabilities(head)[0]
    alone = int(trace.argmax())
    whose = f"{len(votes.models)} networks' {head}" if len(votes.models) > 1 else head
    over = "the first view" if views == 1 else f"{'all' if views == len(CROPS) else 'the first'} {views} views"
    return (
        f"Averaged over {over}, {whose} says {short(network.label(best))} with {percent(float(average[best]))}; "
        f"{agree} of {views} say so by themselves. The single view of the other pages says "
        f"{short(network.label(alone))}, {percent(float(trace[alone]))}. (Paper, section 7.)"
    )


def cautions(panel: Panel) -> str:
    """What else one should know: a square was chosen, the photo is small, the network was made for other views."""
    preprocessing = network.checkpoint().preprocessing
    width, height = panel.photo.size
    found = []
    if panel.photo.square is not None:
        found.append(
            "The views are of the whole photo, as in the paper: the square that was chosen on it is the single view of "
            "the other pages."
        )
    if (times := enlarged_by(panel.photo.size, preprocessing.size)) > 1:
        found.append(
            f"{panel.photo.name} has {width} × {height} pixels: the largest of the four sizes enlarges it {times:.1f} "
            "times."
        )
    if preprocessing.resize < scaled(SCALES[0], preprocessing.size):
        found.append(
            f"{network.checkpoint().name} is made for a shorter side of {preprocessing.resize} pixels: it sees less of "
            "the photo in these views, and larger, than it is used to."
        )
    return " ".join(found)


def average_html(panel: Panel, votes: Votes, head: HeadName, views: int) -> Markup:
    """The first five of the average, and what it was after 1, 10 and 144 views."""
    average = votes.averaged(head, views)
    values, indices = average.topk(min(5, len(average)))
    top = [
        (network.label(index), value) for index, value in zip(indices.tolist(), values.tolist(), strict=True)
    ]  # fmt: skip
    best = int(indices[0])
    trace = panel.trace().probabilities(head)[0]
    steps = [("single view elsewhere", network.label(int(trace.argmax())), float(trace.max()), float(trace[best]))]
    for count in COUNTS:
        after = votes.averaged(head, count)
        name = "1 view" if count == 1 else f"{count} views"
        steps.append((name, network.label(int(after.argmax())), float(after.max()), float(after[best])))
    return render("vote_average.html", head=head, views=views, top=top, steps=steps)


def legend(votes: Votes, head: HeadName, views: int) -> str:
    """How the sheet is read."""
    best = short(network.label(int(votes.averaged(head, views).argmax())))
    pale = f"; {len(CROPS) - views} pale ones are not counted yet" if views < len(CROPS) else ""
    return f"A dashed frame says otherwise than the average, {best}{pale}."


def disagreement(votes: Votes, head: HeadName, views: int) -> str:
    """Which other answers there are."""
    best = int(votes.averaged(head, views).argmax())
    others = Counter(answer for answer in said(votes, head)[:views] if answer != best)
    if not others:
        return f"Nowhere: each of the {views} views says {short(network.label(best))} by itself."
    named = ", ".join(f"{short(network.label(index))} ({count})" for index, count in others.most_common(4))
    more = len(others) - 4
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"{sum(others.values())} of {views} views say something else: {named}{rest}. The table counts those that agree "
        "with the average."
    )


def agreement_html(panel: Panel, votes: Votes, head: HeadName, views: int) -> Markup:
    """How many of the counted views agree, by size, square, place and mirror."""
    best = int(votes.averaged(head, views).argmax())
    agrees = {crop: answer == best for crop, answer in zip(votes.crops[:views], said(votes, head), strict=False)}
    names, side = square_names(panel.photo.size), network.checkpoint().preprocessing.size
    groups: list[tuple[str, list[tuple[str, list[Crop]]]]] = [
        ("Shorter side", [(f"{scaled(scale, side)} px", [c for c in agrees if c.scale == scale]) for scale in SCALES]),
        ("Square", [(names[place], [c for c in agrees if c.square == place]) for place in SQUARES]),
        ("Crop", [(place, [c for c in agrees if c.place == place]) for place in PLACES]),
        ("Mirrored", [(name, [c for c in agrees if c.mirrored == on]) for name, on in (("no", False), ("yes", True))]),
    ]
    counted = [
        (title, [(name, sum(agrees[crop] for crop in crops), len(crops)) for name, crops in rows])
        for title, rows in groups
    ]
    return render("vote_agreement.html", groups=counted)


def cost(votes: Votes, classifier: Classifier, macs: Sequence[int], views: int) -> str:
    """Multiply-adds and time, beside the paper's 7 x 144 = 1008 passes. `macs`: of one view through each network."""
    models = len(votes.models)
    passes, largest = views * models, VOTING[-1]
    same = (
        f" The photo is square, so that its three squares are one: only {votes.pictures} of {len(CROPS)} views differ."
        if votes.pictures < len(CROPS) // 2
        else ""
    )
    one = f"1 network × {views}" if models == 1 else f"{models} networks × {views}"
    each = f"{amount(macs[0])} multiply-adds each"
    if len(set(macs)) > 1:
        each = f"{amount(min(macs))} to {amount(max(macs))} multiply-adds"
    return (
        f"{one} {'view' if views == 1 else 'views'} = {passes} forward passes of {each}: "
        f"{amount(views * sum(macs))} multiply-adds for one answer. All {len(CROPS)} took {votes.seconds:.1f} s here, "
        f"in {classifier.precision}.{same} The paper's last entry took {largest.models} × {largest.crops} = "
        f"{largest.cost} passes and brought the top-5 error from {VOTING[0].top5_error:.2%} to "
        f"{largest.top5_error:.2%}. (Paper, Table 3.)"
    )
