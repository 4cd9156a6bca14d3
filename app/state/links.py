"""What an address says: the view that a link restores, and how the address follows the view.

`LINKS` is the whole list. Checkpoint, device and precision (and the choices of the page Cost) stand in the address as
well: their widgets are bound to it, and a checkpoint is named, never found by a path. The page is the address's own
path. Photos are named, a sample by its name, an upload by the beginning of its hash: pixels are never in a link.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.state import link_values, options
from app.state.link_values import UNIT, View, unit_view
from inception_model.analysis.ablation import FILLS
from inception_model.architecture.spec import BRANCHES
from inception_model.attribution import METHODS
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.drawing.atlas import SCALES, SORTS
from inception_model.images.baselines import BASELINES
from inception_model.images.decode import Photo
from inception_model.images.disturbances import DISTURBANCES
from inception_model.inference.trace import NODES
from inception_model.robustness.pgd import NORMS
from inception_model.visualization.places import UnitError

HASH_DIGITS = 12
"""Hexadecimal digits of an upload's hash in a link: enough to know it again, too few to look it up."""


@dataclass(frozen=True)
class Link:
    """One entry: its name in the address, the name of the state behind it, and how its text is read.

    `read(text, checkpoint, view)` sees what the entries before it gave; None drops what it cannot mean. A choice of
    `unsaid`, a default that `read` knows no text for, is left out of the address.
    """

    param: str
    name: str
    read: Callable[[str, Checkpoint, View], Any]
    unsaid: Any = None


def _method_links() -> tuple[Link, ...]:
    """An entry for each option of each method, but those of relevance propagation, which have shorter names."""
    return tuple(
        Link(f"{method}-{option.name}".replace("_", "-"), options.of_method(method, option).state_name,
             link_values.method_option(option), option.default)
        for method, row in METHODS.items() if method != "lrp" for option in row.options
    )  # fmt: skip


_SUBJECT = options.HEADS_SUBJECT
_LRP = {option.name: option for option in METHODS["lrp"].options}

LINKS: tuple[Link, ...] = (
    Link("square", options.LOOK_SQUARE.state_name, link_values.square),
    Link("beside-square", options.LOOK_SQUARE.beside("beside").state_name, link_values.square),
    Link("module", "module", link_values.module),
    Link("branch", "branch", link_values.one_of(*BRANCHES)),
    Link("node", "node", link_values.one_of(*NODES)),
    Link("channel", "channel", link_values.channel),
    Link("show", options.MODULE_SHOW.state_name, link_values.one_of("photo", "tiles")),
    Link("pushed", options.SEARCH_CLASS.state_name, link_values.class_index),
    Link("order", options.MODULE_SORT.state_name, link_values.one_of(*SORTS, "credit")),
    Link("scale", options.MODULE_SCALE.state_name, link_values.one_of(*SCALES)),
    Link("off", options.ABLATION_OFF.state_name, link_values.parts_off, options.ABLATION_OFF.default),
    Link("fill", options.ABLATION_FILL.state_name, link_values.one_of(*FILLS), options.ABLATION_FILL.default),
    Link("head", options.WHY_HEAD.state_name, link_values.trained),
    Link("method", options.WHY_METHOD.state_name, link_values.one_of(*METHODS)),
    Link("explain", options.WHY_TARGET.state_name, link_values.one_of("auto", "class", "contrast")),
    Link("target", options.WHY_CLASS.state_name, link_values.class_text),
    Link("minus", options.WHY_MINUS.state_name, link_values.class_text),
    Link("at", options.WHY_MODULE.state_name, link_values.module),
    Link("through", options.WHY_BRANCH.state_name, link_values.one_of(*BRANCHES), options.WHY_BRANCH.default),
    Link("composite", options.of_method("lrp", _LRP["composite"]).state_name, link_values.composite),
    Link("only", options.of_method("lrp", _LRP["through"]).state_name, link_values.part),  # labelled "Only through"
    Link("baseline", options.WHY_BASELINE.state_name, link_values.one_of(*BASELINES)),
    Link("ends", options.WHY_ENDS.state_name, link_values.one_of(*options.ENDS), options.WHY_ENDS.default),
    *_method_links(),
    Link("subject", _SUBJECT.state_name, link_values.one_of(*options.SUBJECTS), _SUBJECT.default),
    Link("class", options.HEADS_CLASS.state_name, link_values.class_index, options.HEADS_CLASS.default),
    Link(
        "colour",
        options.LOOK_COLOUR.state_name,
        link_values.one_of("activation", "sparsity", "credit", "effect", "macs", "params", "field"),
    ),
    *(
        Link(name, options.of_disturbance(name).state_name, link_values.strength(name), kind.clean)
        for name, kind in DISTURBANCES.items()
    ),
    Link("voter", options.VOTE_HEAD.state_name, link_values.trained),
    Link("views", options.VOTE_VIEWS.state_name, link_values.views, options.VOTE_VIEWS.default),
    Link("fool", options.FOOL_HEAD.state_name, link_values.trained),
    Link("norm", options.FOOL_NORM.state_name, link_values.one_of(*NORMS)),
    Link("towards", options.FOOL_TOWARDS.state_name, link_values.class_index, options.FOOL_TOWARDS.default),
    Link("bound", options.FOOL_BOUND.state_name, link_values.bound, options.FOOL_BOUND.default),
    Link("present", options.PRESENT.state_name, link_values.switch, options.PRESENT.default),
    Link("teach", options.TEACH.state_name, link_values.switch),
    Link("raw", options.RAW.state_name, link_values.switch),
)
"""Everything but the photos, in the order in which it is read."""

PHOTOS = ("photo", "beside")
"""The entries of the photo and of the one beside it, and the names of the state behind them."""

NAMES = frozenset({*PHOTOS, *(link.name for link in LINKS)})
"""The state that the address follows."""


def read(params: Mapping[str, str], checkpoint: Checkpoint, known: tuple[Photo, ...]) -> View:
    """The view that an address names. What is missing, unknown or impossible is left out.

    `known`: photos that may be named (the samples). A photo that is none of them stays the beginning of a hash.
    """
    view: View = {}
    for link in LINKS:
        if link.param in params:
            value = link.read(params[link.param], checkpoint, view)
            if value is not None:
                view[link.name] = value
    with contextlib.suppress(KeyError, UnitError):
        found = unit_view(params[UNIT], checkpoint)
        for name in ("module", "branch", "node", "channel"):  # one word says all of it
            view.pop(name, None)
        view |= found
    for entry in PHOTOS:
        named = params.get(entry, "")
        for photo in known:
            if photo.name == named:
                view[entry] = photo.sha256
        if re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS},64}}", named):
            view[entry] = named[:HASH_DIGITS]
    return view


def write(values: Callable[[str], Any], known: tuple[Photo, ...]) -> dict[str, str | None]:
    """Every entry's text for the address, None for what was never chosen. `values`: state by name."""
    texts = {
        link.param: None if (value := values(link.name)) in (None, link.unsaid) else link_values.as_text(value)
        for link in LINKS
    }
    names = {photo.sha256: photo.name for photo in known}
    chosen = {entry: values(entry) for entry in PHOTOS}
    return {**{entry: sha and names.get(sha, sha[:HASH_DIGITS]) for entry, sha in chosen.items()}, **texts, UNIT: None}


def entries() -> dict[str, str]:
    """What the address says of the view, for a change of page; what widgets are bound to is theirs to set."""
    ours = {*PHOTOS, UNIT, *(link.param for link in LINKS)}
    return {param: text for param, text in st.query_params.to_dict().items() if param in ours}


def by_history() -> bool:
    """Whether this run was asked for by the browser's Back or Forward: then the view follows the address."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def follow(values: Callable[[str], Any], known: tuple[Photo, ...]) -> None:
    """Puts the view into the browser's address; entries of others (bound widgets) stay as they are."""
    address, texts = st.query_params, {UNIT: None, **write(values, known)}
    for param in [param for param, text in texts.items() if text is None and param in address]:
        del address[param]
    wanted = {param: text for param, text in texts.items() if text is not None}
    if any(address.get(param) != text for param, text in wanted.items()):
        address.update(wanted)
