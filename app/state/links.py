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
import torch
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.state import options
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, STEM_UNITS
from inception_model.attribution import METHODS, AttributionError
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.cost.layers import node_widths
from inception_model.drawing.atlas import SCALES, SORTS
from inception_model.images.baselines import BASELINES
from inception_model.images.decode import Photo
from inception_model.images.disturbances import DISTURBANCES
from inception_model.inference.targets import Target, TargetError
from inception_model.inference.trace import NODES
from inception_model.robustness.adversarial import BOUNDS
from inception_model.robustness.pgd import NORMS
from inception_model.visualization.objectives import of_channel
from inception_model.visualization.places import Place, UnitError

HASH_DIGITS = 12
"""Hexadecimal digits of an upload's hash in a link: enough to know it again, too few to look it up."""

_SQUARE_DIGITS = 24
"""More than any square takes: what is longer is told to be none."""

UNIT = "unit"
"""An entry that is read but never written: a channel in one word, as the command line and the atlas call it."""

View = dict[str, Any]
"""Names of the session's state -> values."""


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


def _one_of(*allowed: str) -> Callable[[str, Checkpoint, View], str | None]:
    return lambda text, checkpoint, view: text if text in allowed else None


def _module(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    return text if text in checkpoint.spec.module_names else None


def _channel(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    """A channel of the node that the entries before name; without a module or a node there is nothing to count in."""
    module, node = view.get("module"), view.get("node") or BRANCH_UNIT.get(view.get("branch", ""))
    if module is None or node is None or not re.fullmatch("[0-9]{1,5}", text):
        return None
    return int(text) if int(text) < node_widths(checkpoint.spec.block(module))[node] else None


def unit_view(text: str, checkpoint: Checkpoint) -> View:
    """What `4d:5x5:17`, `4d:3x3_reduce`, `conv2:9` or a module's name alone says of the place that is looked at.

    Raises UnitError that says what exists, also for what the page Module does not show: the stem before conv2.
    """
    spec, asked = checkpoint.spec, text.strip()
    if asked in spec.module_names:
        return {"module": asked}
    before, _, number = asked.rpartition(":")
    with_channel = bool(before) and number.isdecimal() and len(number) <= 5
    place = Place.parse(before if with_channel else asked, spec)
    if with_channel:
        of_channel(spec, place, int(number))
    channel = {"channel": int(number)} if with_channel else {}
    if place.module is None:
        if place.unit != (shown := STEM_UNITS[-1]):
            raise UnitError(f"{place} is not shown here: of the stem only {shown} is, the input of the first module")
        return {"module": spec.module_names[0], "node": "input", **channel}
    kind = next(kind for kind in BRANCHES if place.unit.partition("_")[0] == kind)
    node = {} if place.unit == BRANCH_UNIT[kind] else {"node": place.unit}
    return {"module": place.module, "branch": kind, **node, **channel}


def unknown_unit(params: Mapping[str, str], checkpoint: Checkpoint) -> str:
    """Why the address's unit is none, in words; empty where it is one, or where none is named."""
    try:
        unit_view(params[UNIT], checkpoint)
    except KeyError:
        return ""
    except UnitError as error:
        return str(error)
    return ""


def _trained(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    return text if text in checkpoint.heads_trained else None


def _class(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """An index, a WordNet id or the words of one class -> its index as text."""
    try:
        target = Target.parse(text, checkpoint.labels, torch.zeros(checkpoint.spec.classes))
    except TargetError:
        return None
    return str(target.index) if target.minus is None and text.lower() != "auto" else None


def _index(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    index = _class(text, checkpoint, view)
    return None if index is None else int(index)


_LRP = {option.name: option for option in METHODS["lrp"].options}


def _composite(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    try:
        return str(_LRP["composite"].read(text))
    except AttributionError:
        return None


def _part(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """A module, branch or channel that the checkpoint has, or everything."""
    if text != text.strip():
        return None
    if text != _LRP["through"].default:
        try:
            Part.parse(text, checkpoint.spec)
        except ValueError:
            return None
    return text


def _square(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """As it stands: whether it lies on the photo is known where the photo is, and told there."""
    return text[:_SQUARE_DIGITS] or None


def _switch(text: str, checkpoint: Checkpoint, view: View) -> bool | None:
    return {"on": True, "off": False}.get(text)


def _strength(name: str) -> Callable[[str, Checkpoint, View], float | None]:
    """A disturbance's strength: one of those on its scale."""

    def read(text: str, checkpoint: Checkpoint, view: View) -> float | None:
        try:
            return DISTURBANCES[name].read(text)
        except ValueError:
            return None

    return read


def _bound(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    """One of the bounds that the norm, read before, offers."""
    norm = view.get(options.FOOL_NORM.state_name, options.FOOL_NORM.default)
    return next((bound for bound in BOUNDS[norm] if str(bound) == text), None)


def _text(value: Any) -> str:
    """How a value of the state stands in the address."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


LINKS: tuple[Link, ...] = (
    Link("square", options.LOOK_SQUARE.state_name, _square),
    Link("beside-square", options.LOOK_SQUARE.beside("beside").state_name, _square),
    Link("module", "module", _module),
    Link("branch", "branch", _one_of(*BRANCHES)),
    Link("node", "node", _one_of(*NODES)),
    Link("channel", "channel", _channel),
    Link("show", options.MODULE_SHOW.state_name, _one_of("photo", "tiles")),
    Link("pushed", options.SEARCH_CLASS.state_name, _index),
    Link("order", options.MODULE_SORT.state_name, _one_of(*SORTS, "credit")),
    Link("scale", options.MODULE_SCALE.state_name, _one_of(*SCALES)),
    Link("head", options.WHY_HEAD.state_name, _trained),
    Link("method", options.WHY_METHOD.state_name, _one_of(*METHODS)),
    Link("explain", options.WHY_TARGET.state_name, _one_of("auto", "class", "contrast")),
    Link("target", options.WHY_CLASS.state_name, _class),
    Link("minus", options.WHY_MINUS.state_name, _class),
    Link("at", options.WHY_MODULE.state_name, _module),
    Link("through", options.WHY_BRANCH.state_name, _one_of(*BRANCHES), options.WHY_BRANCH.default),
    Link("composite", options.of_method("lrp", _LRP["composite"]).state_name, _composite),
    Link("only", options.of_method("lrp", _LRP["through"]).state_name, _part),  # labelled "Only through"
    Link("baseline", options.WHY_BASELINE.state_name, _one_of(*BASELINES)),
    Link("class", options.HEADS_CLASS.state_name, _index, options.HEADS_CLASS.default),
    Link(
        "colour",
        options.LOOK_COLOUR.state_name,
        _one_of("activation", "sparsity", "credit", "effect", "macs", "params", "field"),
    ),
    *(
        Link(name, options.of_disturbance(name).state_name, _strength(name), kind.clean)
        for name, kind in DISTURBANCES.items()
    ),
    Link("fool", options.FOOL_HEAD.state_name, _trained),
    Link("norm", options.FOOL_NORM.state_name, _one_of(*NORMS)),
    Link("towards", options.FOOL_TOWARDS.state_name, _index, options.FOOL_TOWARDS.default),
    Link("bound", options.FOOL_BOUND.state_name, _bound, options.FOOL_BOUND.default),
    Link("present", options.PRESENT.state_name, _switch, options.PRESENT.default),
    Link("teach", options.TEACH.state_name, _switch),
    Link("raw", options.RAW.state_name, _switch),
)
"""Everything but the photos, in the order in which it is read."""

UNIT = "unit"
"""An entry that names a channel as a whole, `4d:5x5:17`: it is read only, and the address then says it by its parts."""

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
        link.param: None if (value := values(link.name)) in (None, link.unsaid) else _text(value) for link in LINKS
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
