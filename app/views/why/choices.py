"""The controls of the page Why: head, target, method, its options, layer and baseline. Their outcome is a Question."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.jobs.attribution import Question, ask, baseline_picture, map_words, target_of, words_of
from app.state import network, options
from app.state.options import WHOLE, Option
from app.state.panel import Panel
from app.templates import as_text, render
from app.widgets.persistent_choice import persistent_choice
from app.widgets.place_choice import place_choice
from inception_model.architecture.spec import BRANCHES, HeadName
from inception_model.attribution import METHODS, AttributionError, allowed_layers
from inception_model.attribution import Option as MethodOption
from inception_model.attribution.explaining import NOISE_IMAGES, trained_head
from inception_model.attribution.options import PlaceOption
from inception_model.drawing.encoding import jpeg_bytes
from inception_model.drawing.numbers import percent, short
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.images.baselines import BASELINES
from inception_model.inference.targets import Target, TargetError

TARGETS = {"auto": "its answer", "class": "a class", "contrast": "a contrast"}
"""What is explained: the head's own best class, one that is named, or one class rather than another."""
FEW = 4
"""Choices that stand side by side; more of them open from a box."""
BASELINE_WORDS = {
    "black": "every pixel black",
    "mean": "the mean colour that the preprocessing subtracts",
    "blur": "the photo, blurred",
    "noise": f"noise, the mean over {NOISE_IMAGES} images of it (one is shown)",
}


def show(panel: Panel) -> Question | None:
    """Draws the controls; None, with one sentence on why, where there is nothing to explain."""
    try:
        head = _head()
        target = _target(panel, head)
    except (AttributionError, TargetError) as error:
        st.warning(as_text(str(error)))
        return None
    method = persistent_choice(
        st.selectbox, "Method", options.WHY_METHOD, METHODS, options=list(METHODS), format_func=method_label
    )
    cost_line = st.empty()
    row = METHODS[method]
    layer = _layer(head) if "layer" in row.needs else None
    baseline = _baseline(panel) if "baseline" in row.needs else options.WHY_BASELINE.default
    own: dict[str, Any] = {}
    for option in row.options:
        own[option.name] = _option(method, option, head) if option.counts(own) else option.default
    question = ask(method, head, target, layer, baseline, own)
    cost_line.html(render("why_method.html", reading=row.reading, cost=map_words([question])))
    return question


def method_label(name: str) -> str:
    """A method in words."""
    return METHODS[name].label


def _head() -> HeadName:
    classifier = network.service().classifier
    trained = classifier.trained_heads
    names = {name: name if name in trained else f"{name} (never trained)" for name in classifier.heads}
    default = "main" if "main" in trained else next(iter(trained), classifier.heads[-1])
    chosen = persistent_choice(
        st.segmented_control, "Head", options.WHY_HEAD.otherwise(default), names,
        options=list(names), format_func=names.get, required=True, wrap=True,
    )  # fmt: skip
    return trained_head(classifier, chosen)


def _target(panel: Panel, head: HeadName) -> Target:
    """The chosen class or contrast; raises TargetError in words for what names no class."""
    kind = persistent_choice(
        st.segmented_control, "Explain", options.WHY_TARGET, TARGETS,
        options=list(TARGETS), format_func=TARGETS.get, required=True, wrap=True,
    )  # fmt: skip
    logits, labels = panel.trace().logits(head)[0], network.checkpoint().labels
    best = Target.parse("auto", labels, logits)
    if kind == "auto":
        probability = float(panel.trace().probabilities(head)[0, best.index])
        st.html(render("quiet.html", text=f"{head} says {words_of(best)} ({percent(probability)})."))
        return best
    ranking = [str(index) for index in logits.argsort(descending=True).tolist()]
    _class("Class" if kind == "class" else "For", options.WHY_CLASS, ranking, 0)
    if kind == "contrast" and target_of(panel, head, "class").minus is None:
        _class("Rather than", options.WHY_MINUS, ranking, 1)
    return target_of(panel, head, kind)


def _class(label: str, option: Option[str | None], ranking: list[str], place: int) -> None:
    """Offers the head's ranking, and takes whatever is typed instead: an index, a WordNet id, words."""
    persistent_choice(
        st.selectbox, label, option.otherwise(ranking[place]),
        options=ranking, format_func=class_words, accept_new_options=True,
        help="Best first. Type to search by name; an index or a WordNet id will do as well.",
    )  # fmt: skip


def class_words(text: str) -> str:
    """The words of a class given by its index; what was typed stays as it is."""
    return network.label(int(text)) if text.isdecimal() else text


def _layer(head: HeadName) -> str:
    modules = allowed_layers(network.service().classifier, head)
    names = {WHOLE: WHOLE, **BRANCH_NAMES}
    left, right = st.columns(2, gap="small")
    with left:
        module = persistent_choice(
            st.selectbox, "Module", options.WHY_MODULE.otherwise(modules[-1]), modules, options=list(modules)
        )
    with right:
        branch = persistent_choice(
            st.selectbox, "Branch", options.WHY_BRANCH, names, options=[WHOLE, *BRANCHES], format_func=names.get
        )
    return module if branch == WHOLE else f"{module}:{branch}"


def _baseline(panel: Panel) -> str:
    name = persistent_choice(
        st.segmented_control, "Baseline", options.WHY_BASELINE, BASELINES,
        options=list(BASELINES), required=True, wrap=True,
    )  # fmt: skip
    with st.container(key="why-baseline-shown", horizontal=True, gap="small", vertical_alignment="center"):
        st.image(jpeg_bytes(baseline_picture(panel, name)), width=56, alt=f"the baseline {name}")
        st.html(render("quiet.html", text=f"Compared with: {BASELINE_WORDS[name]}."))
    return name


def _option(method: str, option: MethodOption, head: HeadName) -> Any:
    """A widget for one option of a method, with its range."""
    kept = options.of_method(method, option)
    label = option.name.capitalize()
    says = f"{option.help}; allowed: {option.allowed}"
    if isinstance(option, PlaceOption):
        modules = allowed_layers(network.service().classifier, head)
        return place_choice(f"Only {option.name}", kept, modules, help=says)
    if len(option.choices) > FEW:
        return persistent_choice(st.selectbox, label, kept, option.choices, options=list(option.choices), help=says)
    if option.choices:
        return persistent_choice(
            st.segmented_control, label, kept, option.choices,
            options=list(option.choices), required=True, help=says,
        )  # fmt: skip
    kind = type(option.default)
    value = persistent_choice(
        st.number_input, label, kept,
        min_value=kind(option.low), max_value=kind(option.high), step=1 if kind is int else 0.05, help=says,
    )  # fmt: skip
    return option.default if value is None else option.read(value)


def in_words(question: Question) -> str:
    """A question in a few words: `GradCAM at 5b · main · tabby`."""
    where = f" at {question.layer}" if question.layer else ""
    for option in METHODS[question.method].options:
        chosen = dict(question.options)[option.name]
        if isinstance(option, PlaceOption) and chosen != option.default:
            where += f" {option.name} {chosen}"
    return f"{method_label(question.method)}{where} · {question.head} · {short(words_of(question.target))}"
