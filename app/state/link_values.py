"""How an address's entries are read: text -> a value that the checkpoint has, or None for what means nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from app.state import options
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, STEM_UNITS
from inception_model.attribution import METHODS, AttributionError
from inception_model.attribution.options import Option as MethodOption
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.cost.layers import node_widths
from inception_model.images.crops import CROPS
from inception_model.images.disturbances import DISTURBANCES
from inception_model.inference.targets import Target, TargetError
from inception_model.robustness.adversarial import BOUNDS
from inception_model.visualization.objectives import of_channel
from inception_model.visualization.places import Place, UnitError

_SQUARE_DIGITS = 24
"""More than any square takes: what is longer is told to be none."""

_MOST_OFF = 40
"""Parts switched off that are read of an address: all branches of all modules are 36."""

UNIT = "unit"
"""An entry that names a channel as a whole, `4d:5x5:17`: it is read only, and the address then says it by its parts."""

View = dict[str, Any]
"""Names of the session's state -> values."""


def one_of(*allowed: str) -> Callable[[str, Checkpoint, View], str | None]:
    return lambda text, checkpoint, view: text if text in allowed else None


def module(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    return text if text in checkpoint.spec.module_names else None


def channel(text: str, checkpoint: Checkpoint, view: View) -> int | None:
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


def trained(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    return text if text in checkpoint.heads_trained else None


def class_text(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """An index, a WordNet id or the words of one class -> its index as text."""
    try:
        target = Target.parse(text, checkpoint.labels, torch.zeros(checkpoint.spec.classes))
    except TargetError:
        return None
    return str(target.index) if target.minus is None and text.lower() != "auto" else None


def class_index(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    index = class_text(text, checkpoint, view)
    return None if index is None else int(index)


def parts_off(text: str, checkpoint: Checkpoint, view: View) -> tuple[str, ...] | None:
    """What is switched off: the parts that the checkpoint has, separated by commas."""
    found = []
    for part in text.split(",")[:_MOST_OFF]:
        with contextlib.suppress(ValueError):
            found.append(str(Part.parse(part, checkpoint.spec)))
    return tuple(dict.fromkeys(found)) or None


def views(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= len(CROPS) else None


def method_option(option: MethodOption) -> Callable[[str, Checkpoint, View], Any]:
    """A value of a method's own option that it allows."""

    def read(text: str, checkpoint: Checkpoint, view: View) -> Any:
        try:
            return option.read(text)
        except AttributionError:
            return None

    return read


_LRP = {option.name: option for option in METHODS["lrp"].options}


def composite(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    try:
        return str(_LRP["composite"].read(text))
    except AttributionError:
        return None


def part(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """A module, branch or channel that the checkpoint has, or everything."""
    if text != text.strip():
        return None
    if text != _LRP["through"].default:
        try:
            Part.parse(text, checkpoint.spec)
        except ValueError:
            return None
    return text


def square(text: str, checkpoint: Checkpoint, view: View) -> str | None:
    """As it stands: whether it lies on the photo is known where the photo is, and told there."""
    return text[:_SQUARE_DIGITS] or None


def switch(text: str, checkpoint: Checkpoint, view: View) -> bool | None:
    return {"on": True, "off": False}.get(text)


def strength(name: str) -> Callable[[str, Checkpoint, View], float | None]:
    """A disturbance's strength: one of those on its scale."""

    def read(text: str, checkpoint: Checkpoint, view: View) -> float | None:
        try:
            return DISTURBANCES[name].read(text)
        except ValueError:
            return None

    return read


def bound(text: str, checkpoint: Checkpoint, view: View) -> int | None:
    """One of the bounds that the norm, read before, offers."""
    norm = view.get(options.FOOL_NORM.state_name, options.FOOL_NORM.default)
    return next((bound for bound in BOUNDS[norm] if str(bound) == text), None)


def as_text(value: Any) -> str:
    """How a value of the state stands in the address."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
