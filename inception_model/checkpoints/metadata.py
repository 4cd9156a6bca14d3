"""The texts that this project's own files carry -> validated values. They are as little to be trusted as weights.

Every field has its bounds in `limits`, and a wrong one becomes a CheckpointError that names the field, says of what
kind the value is and what is allowed, and never repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from dataclasses import fields as fields_of
from typing import Any, TypeVar, cast

from ..architecture.labels import Label
from ..architecture.spec import (
    DEFAULT_SIZE,
    HEADS,
    AuxSpec,
    BlockSpec,
    HeadName,
    LRNSpec,
    NetworkSpec,
    PoolSpec,
    StemSpec,
)
from ..architecture.variants import SPECS, get_spec
from ..images.preprocessing import Preprocessing
from ..training.calibration import Calibration
from ..training.curve import TrainingCurve
from .checkpoint import CheckpointError
from .limits import (
    MAX_CARD,
    MAX_CLASSES,
    MAX_HEADER,
    MAX_KERNEL,
    MAX_MODULES,
    MAX_NAME,
    MAX_SIDE,
    MAX_SOURCE,
    MAX_WIDTH,
    MAX_WORDS,
)
from .measured import calibration_from, curve_from
from .messages import first_few, shown
from .plain_json import choice, entries, fields, items, number, parse, whole, words
from .runnable import require_fitting_layers
from .safetensors_format import CALIBRATION, CURVE, labels_to_json

T = TypeVar("T")
Metadata = Mapping[str, str]

_SMALL = 16_384
"""Characters of the JSON of a spec, of preprocessing, heads or accuracy."""


def read_spec(metadata: Metadata) -> NetworkSpec:
    """The architecture that the metadata name or spell out."""
    return _parsed(metadata, "spec", spec_from_json)


def read_preprocessing(metadata: Metadata) -> Preprocessing:
    """How a photo becomes this network's input."""
    return _parsed(metadata, "preprocessing", _preprocessing)


def read_labels(metadata: Metadata) -> tuple[Label, ...]:
    """The classes in index order."""
    return _parsed(metadata, "labels", _labels)


def read_heads_trained(metadata: Metadata) -> tuple[HeadName, ...]:
    """Heads whose logits are predictions."""
    return _parsed(metadata, "heads_trained", _heads)


def read_accuracy(metadata: Metadata) -> dict[str, Any]:
    """Accuracy per head as the training measured it: top1 and top5, shares from 0 to 1."""
    return _parsed(metadata, "accuracy", _accuracy)


def read_calibration(metadata: Metadata) -> Calibration | None:
    """Temperatures of the trained heads; None where nobody has calibrated the file."""
    if CALIBRATION not in metadata:
        return None
    found = _parsed(metadata, CALIBRATION, calibration_from)
    if strange := set(found.heads) - set(read_heads_trained(metadata)):
        raise CheckpointError(
            f"the metadata's {CALIBRATION!r} is wrong: a temperature for {', '.join(sorted(strange))}, which was never "
            "trained"
        )
    return found


def read_curve(metadata: Metadata) -> tuple[TrainingCurve, ...]:
    """How the training went, per head; none where the file doesn't say."""
    return _parsed(metadata, CURVE, curve_from) if CURVE in metadata else ()


def read_source(metadata: Metadata) -> str:
    """Where the weights come from, in words; empty where the file doesn't say."""
    return words(metadata.get("source", ""), "the metadata's source", MAX_SOURCE)


def read_card(metadata: Metadata) -> str:
    """The model card in Markdown; empty where the file has none."""
    return words(metadata.get("card", ""), "the metadata's card", MAX_CARD)


def _parsed(metadata: Metadata, key: str, read: Callable[[str], T]) -> T:
    if key not in metadata:
        found = first_few(map(shown, sorted(metadata)))
        raise CheckpointError(f"the metadata lack {key!r} (found: {found}); save it with `checkpoint.save`")
    try:
        return read(metadata[key])
    except CheckpointError as error:
        raise CheckpointError(
            f"the metadata's {key!r} is wrong: {error}; correct it and save the file with `checkpoint.save`"
        ) from error


def spec_from_json(text: str) -> NetworkSpec:
    """The inverse of `spec_to_json`; a spec whose layers don't fit one another raises CheckpointError."""
    values = entries(parse(text, _SMALL, "it"), "it", len(fields_of(NetworkSpec)))
    if set(values) == {"name", "classes"}:
        name = choice(values["name"], "its name", SPECS)
        return get_spec(name, whole(values["classes"], "its number of classes", 1, MAX_CLASSES))
    spec = _spelled_out(values)
    require_fitting_layers(spec, DEFAULT_SIZE)
    return spec


def _spelled_out(values: dict[str, Any]) -> NetworkSpec:
    fields(values, "it", (entry.name for entry in fields_of(NetworkSpec)))
    blocks = tuple(map(_block, items(values["blocks"], "its list of modules", MAX_MODULES)))
    names = [block.name for block in blocks]
    aux = tuple(_aux(value, names) for value in items(values["aux"], "its list of aux heads", len(HEADS) - 1))
    heads = [head.name for head in aux]
    if len(set(names)) < len(names) or len(set(heads)) < len(heads):
        raise CheckpointError("two of its modules or heads have one name")
    pools = [_pool(value, names) for value in items(values["pools"], "its list of pools", MAX_MODULES)]
    if len({after for after, _ in pools}) < len(pools):
        raise CheckpointError("two of its pools follow one module")
    batch_norm = values["batch_norm"]
    return NetworkSpec(
        name=_name(values["name"], "its name"),
        classes=whole(values["classes"], "its number of classes", 1, MAX_CLASSES),
        stem=_stem(values["stem"]),
        blocks=blocks,
        pools=tuple(pools),
        aux=aux,
        batch_norm=None if batch_norm is None else number(batch_norm, "its batch norm's epsilon", 0, 1),
        dropout=number(values["dropout"], "its dropout", 0, 1),
    )


def _name(value: Any, what: str) -> str:
    """A name as this project's own architectures have: short, and of plain letters."""
    found = words(value, what, MAX_NAME)
    if not found or shown(found) != found:
        raise CheckpointError(f"{what} has {len(found)} characters, at most 60 plain letters and digits are read")
    return found


def _widths(value: Any, what: str, of: type, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a part of the spec; those named are channels or features."""
    found = fields(value, what, (entry.name for entry in fields_of(of)))
    return found | {name: whole(found[name], f"{what}'s {name}", 1, MAX_WIDTH) for name in names}


def _stem(value: Any) -> StemSpec:
    found = _widths(value, "its stem", StemSpec, ("conv1", "conv2_reduce", "conv2"))
    padding = [
        whole(side, "its stem's padding", 0, MAX_KERNEL)
        for side in items(found["conv1_padding"], "its stem's padding", 2)
    ]
    if len(padding) != 2:
        raise CheckpointError(f"its stem's padding has {len(padding)} sides, where two are expected")
    lrn = None if found["lrn"] is None else _lrn(found["lrn"])
    return StemSpec(**(found | {"conv1_padding": (padding[0], padding[1]), "lrn": lrn}))


def _lrn(value: Any) -> LRNSpec:
    found = fields(value, "its response normalisation", (entry.name for entry in fields_of(LRNSpec)))
    numbers = {name: number(found[name], f"its response normalisation's {name}", 0, 1e6) for name in ("alpha", "beta")}
    k = number(found["k"], "its response normalisation's k", 1e-6, 1e6)  # 0 would divide by 0
    return LRNSpec(whole(found["size"], "its response normalisation's size", 1, 255), k=k, **numbers)


def _block(value: Any) -> BlockSpec:
    names = ("in_channels", "one", "three_reduce", "three", "five_reduce", "five", "pool_proj")
    found = _widths(value, "a module", BlockSpec, names)
    kernel = whole(found["five_kernel"], "a module's five_kernel", 1, MAX_KERNEL)
    return BlockSpec(**(found | {"name": _name(found["name"], "a module's name"), "five_kernel": kernel}))


def _pool(value: Any, modules: list[str]) -> tuple[str, PoolSpec]:
    both = items(value, "a pool", 2)
    if len(both) != 2:
        raise CheckpointError(f"a pool has {len(both)} values, where a module's name and a window are expected")
    found = fields(both[1], "a pool", (entry.name for entry in fields_of(PoolSpec)))
    sizes = {name: whole(size, f"a pool's {name}", 1, MAX_KERNEL) for name, size in found.items()}
    return choice(both[0], "a pool's module", modules), PoolSpec(**sizes)


def _aux(value: Any, modules: list[str]) -> AuxSpec:
    found = _widths(value, "an aux head", AuxSpec, ("conv", "fc"))
    choices = {
        "name": choice(found["name"], "an aux head's name", HEADS[:-1]),
        "after": choice(found["after"], "an aux head's module", modules),
        "pool": choice(found["pool"], "an aux head's pool", ("avg5x3", "adaptive4")),
    }
    return AuxSpec(**(found | choices | {"dropout": number(found["dropout"], "an aux head's dropout", 0, 1)}))


def _preprocessing(text: str) -> Preprocessing:
    names = tuple(asdict(Preprocessing()))
    found = fields(parse(text, _SMALL, "it"), "it", names)
    resize = whole(found["resize"], "resize", 1, MAX_SIDE)
    return Preprocessing(
        size=whole(found["size"], "size (of the crop, at most resize)", 1, resize),
        resize=resize,
        interpolation=cast(Any, choice(found["interpolation"], "interpolation", ("bilinear", "bicubic"))),
        scale=_divisor(found["scale"], "scale"),
        mean=_three(found["mean"], "mean", lambda value, what: number(value, what, -1e6, 1e6)),
        std=_three(found["std"], "std", _divisor),
        channels=cast(Any, choice(found["channels"], "channels", ("RGB", "BGR"))),
    )


def _three(value: Any, what: str, read: Callable[[Any, str], float]) -> tuple[float, float, float]:
    found = [read(each, what) for each in items(value, what, 3)]
    if len(found) != 3:
        raise CheckpointError(f"{what} has {len(found)} numbers, where one per colour is expected")
    return found[0], found[1], found[2]


def _divisor(value: Any, what: str) -> float:
    """What is divided by: also its inverse is a number that float16 has no trouble with."""
    found = number(value, what, -1e6, 1e6)
    if abs(found) < 1e-6:
        raise CheckpointError(f"{what} is {found:g}, which nothing can be divided by")
    return found


def _labels(text: str) -> tuple[Label, ...]:
    rows = items(parse(text, MAX_HEADER, "it"), "it", MAX_CLASSES)
    names = tuple(entry.name for entry in fields_of(Label))
    labels = []
    for index, row in enumerate(rows):
        found = fields(row, "a label", names)
        if type(found["index"]) is not int or found["index"] != index:
            raise CheckpointError("the labels' indices don't count from 0")
        wnid, said = (words(found[name], f"a label's {name}", MAX_WORDS) for name in ("wnid", "words"))
        labels.append(Label(index, wnid, said))
    return tuple(labels)


def require_storable(labels: tuple[Label, ...]) -> None:
    """Raises CheckpointError for labels that a file couldn't be read again with: before a training, not after it."""
    _parsed({"labels": labels_to_json(labels)}, "labels", _labels)


def read_shares(value: Any, what: str) -> dict[str, float]:
    """top1 and top5 of one head or probe; whatever else stands there is left out."""
    found = entries(value, what, 16)
    if missing := [name for name in ("top1", "top5") if name not in found]:
        raise CheckpointError(f"{what} lacks {', '.join(missing)}, a share from 0 to 1")
    return {name: number(found[name], f"{name} of {what}", 0, 1) for name in ("top1", "top5")}


def _accuracy(text: str) -> dict[str, Any]:
    found = entries(parse(text, _SMALL, "it"), "it", len(HEADS))
    if not set(found) <= set(HEADS):
        raise CheckpointError(f"it names a head that there isn't; allowed: {', '.join(HEADS)}")
    return {head: read_shares(row, head) for head, row in found.items()}


def _heads(text: str) -> tuple[HeadName, ...]:
    named = {choice(head, "a head", HEADS) for head in items(parse(text, _SMALL, "it"), "it", len(HEADS))}
    return tuple(head for head in HEADS if head in named)
