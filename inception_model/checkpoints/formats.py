"""Weight files of every supported format -> `Checkpoint`. All of them are untrusted input.

A file's container is read into named tensors; the first entry of FORMATS that recognises those names says which
network they belong to and what they are called here; then every tensor's shape is compared with that network (see
`fitting`). Whatever doesn't fit raises CheckpointError.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..architecture.labels import Label
from ..architecture.spec import DEFAULT_SIZE, UNITS, HeadName, NetworkSpec
from ..architecture.variants import TABLE_1, get_spec
from ..images.preprocessing import CAFFE, INCEPTION5H, TORCHVISION, Preprocessing
from ..training.calibration import Calibration
from ..training.curve import TrainingCurve
from . import nin_file
from .checkpoint import ASSETS, Checkpoint, CheckpointError, file_sha256
from .containers import Raw, read_container
from .fitting import fitted
from .limits import MAX_CLASSES
from .messages import first_few, shown
from .metadata import (
    read_accuracy,
    read_calibration,
    read_card,
    read_curve,
    read_heads_trained,
    read_labels,
    read_preprocessing,
    read_source,
    read_spec,
)
from .runnable import require_affordable, require_fitting_layers
from .safetensors_format import FORMAT

UNUSED = "(unused)"
"""The words of inception5h's outputs that stand for no class: 0 and 1001 to 1007."""


@dataclass(frozen=True)
class Format:
    """One kind of file. `names`: the file's name of a layer -> ours; None where they are the same.

    The functions see what the file holds, because the number of classes and the heads differ from file to file.
    """

    title: str
    recognises: Callable[[Raw], bool]
    names: Mapping[str, str] | None
    spec: Callable[[Raw], NetworkSpec]
    preprocessing: Callable[[Raw], Preprocessing]
    labels: Callable[[Raw], tuple[Label, ...]]
    heads_trained: Callable[[Raw], tuple[HeadName, ...]]
    source: Callable[[Raw], str]
    accuracy: Callable[[Raw], dict[str, Any]] = lambda raw: {}
    card: Callable[[Raw], str] = lambda raw: ""
    calibration: Callable[[Raw], Calibration | None] = lambda raw: None
    curve: Callable[[Raw], tuple[TrainingCurve, ...]] = lambda raw: ()


# What the layers are called: a module's six convolutions, then everything else.


def _layers(module: str, units: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The file's name of every layer -> ours. `module` has places for a module's and a convolution's name."""
    inner = {module.format(name, theirs): f"{name}.{ours}" for name in TABLE_1 for theirs, ours in units.items()}
    return inner | dict(others)


_TORCHVISION = _layers(
    "inception{}.{}",
    {
        "branch1": "1x1",
        "branch2.0": "3x3_reduce",
        "branch2.1": "3x3",
        "branch3.0": "5x5_reduce",
        "branch3.1": "5x5",
        "branch4.1": "pool_proj",
    },
    {
        "conv1": "conv1",
        "conv2": "conv2_reduce",
        "conv3": "conv2",
        "aux1.conv": "aux1.conv",
        "aux1.fc1": "aux1.fc",
        "aux1.fc2": "aux1.classifier",
        "aux2.conv": "aux2.conv",
        "aux2.fc1": "aux2.fc",
        "aux2.fc2": "aux2.classifier",
        "fc": "classifier",
    },
)

_CAFFE = _layers(
    "inception_{}/{}",
    {unit: f"{unit}.conv" for unit in UNITS},
    {
        "conv1/7x7_s2": "conv1.conv",
        "conv2/3x3_reduce": "conv2_reduce.conv",
        "conv2/3x3": "conv2.conv",
        "loss1/conv": "aux1.conv.conv",
        "loss1/fc": "aux1.fc",
        "loss1/classifier": "aux1.classifier",
        "loss2/conv": "aux2.conv.conv",
        "loss2/fc": "aux2.fc",
        "loss2/classifier": "aux2.classifier",
        "loss3/classifier": "classifier",
    },
)

_INCEPTION5H = _layers(
    "mixed{}.{}",
    {unit if unit == "pool_proj" else f"conv_{unit}": f"{unit}.conv" for unit in UNITS},
    {"conv1": "conv1.conv", "conv2": "conv2_reduce.conv", "conv3": "conv2.conv", "fc": "classifier"},
)


# Which network it is, and what its classes are.


def _variant(name: str, classifier: str, aux_probe: str) -> Callable[[Raw], NetworkSpec]:
    """A published variant with the classes of the file's last layer, and without aux heads if the file has none."""

    def spec(raw: Raw) -> NetworkSpec:
        bias = raw.tensors.get(f"{classifier}.bias")
        if bias is None or bias.ndim != 1 or not 1 <= bias.shape[0] <= MAX_CLASSES:
            found = "is missing" if bias is None else f"has shape {bias.shape}"
            raise CheckpointError(
                f"{classifier}.bias {found}; expected is one number per class, of 1 to {MAX_CLASSES:,} classes"
            )
        full = get_spec(name, bias.shape[0])
        has_aux = any(key.startswith(aux_probe) for key in raw.tensors)
        return full if has_aux else replace(full, aux=())

    return spec


@cache
def _imagenet() -> tuple[tuple[Label, int], ...]:
    """The 1000 classes of ILSVRC in the order of their sorted WordNet ids, each with its id in ILSVRC2012's own order.

    WordNet ids and ILSVRC ids are facts about the data set; the words are WordNet's synonyms.
    """
    with (ASSETS / "labels" / "imagenet.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple((Label(int(r["label"]), r["wnid"], r["words"]), int(r["ilsvrc2012_id"])) for r in rows)


def imagenet_labels(classes: int = 1000) -> tuple[Label, ...]:
    """ImageNet's classes in torchvision's and Caffe's order (sorted WordNet ids); none if it isn't 1000 classes."""
    return tuple(label for label, _ in _imagenet()) if classes == 1000 else ()


def inception5h_labels(classes: int = 1008) -> tuple[Label, ...]:
    """Google's order: 0 stands for nothing, 1 to 1000 are ILSVRC2012's ids, 1001 to 1007 stand for nothing."""
    if classes != 1008:
        return ()
    by_id = {ilsvrc_id: label for label, ilsvrc_id in _imagenet()}
    return tuple(replace(by_id[i], index=i) if i in by_id else Label(i, "", UNUSED) for i in range(classes))


def _has(*keys: str) -> Callable[[Raw], bool]:
    return lambda raw: all(key in raw.tensors for key in keys)


_torchvision_spec = _variant("torchvision", "fc", "aux")
_caffe_spec = _variant("paper", "loss3/classifier", "loss1/")
_inception5h_spec = _variant("inception5h", "fc", "aux")

FORMATS: dict[str, Format] = {
    "native": Format(
        title="this project's safetensors",
        recognises=lambda raw: raw.metadata.get("format") == FORMAT,
        names=None,
        spec=lambda raw: read_spec(raw.metadata),
        preprocessing=lambda raw: read_preprocessing(raw.metadata),
        labels=lambda raw: read_labels(raw.metadata),
        heads_trained=lambda raw: read_heads_trained(raw.metadata),
        source=lambda raw: read_source(raw.metadata),
        accuracy=lambda raw: read_accuracy(raw.metadata),
        card=lambda raw: read_card(raw.metadata),
        calibration=lambda raw: read_calibration(raw.metadata),
        curve=lambda raw: read_curve(raw.metadata),
    ),
    "torchvision": Format(
        title="torchvision's googlenet",
        recognises=_has("inception3a.branch1.conv.weight"),
        names=_TORCHVISION,
        spec=_torchvision_spec,
        preprocessing=lambda raw: TORCHVISION,
        labels=lambda raw: imagenet_labels(_torchvision_spec(raw).classes),
        # The published file's aux heads were never trained, and nothing in a file tells whether somebody did later.
        heads_trained=lambda raw: ("main",),
        source=lambda raw: (
            "a state dict of torchvision.models.googlenet; heads aux1 and aux2 in such files are not trained, "
            "and the branch called 5x5 is a 3x3 convolution"
        ),
    ),
    "caffe": Format(
        title="BVLC Caffe's GoogLeNet",
        recognises=_has("inception_3a/1x1.weight"),
        names=_CAFFE,
        spec=_caffe_spec,
        preprocessing=lambda raw: CAFFE,
        labels=lambda raw: imagenet_labels(_caffe_spec(raw).classes),
        heads_trained=lambda raw: _caffe_spec(raw).heads,
        source=lambda raw: "a Caffe model with the layer names of bvlc_googlenet; its aux heads are trained",
    ),
    "inception5h": Format(
        title="inception5h as captum publishes it",
        recognises=_has("mixed3a.conv_1x1.weight"),
        names=_INCEPTION5H,
        spec=_inception5h_spec,
        preprocessing=lambda raw: INCEPTION5H,
        labels=lambda raw: inception5h_labels(_inception5h_spec(raw).classes),
        heads_trained=lambda raw: ("main",),
        source=lambda raw: "Google's TensorFlow release inception5h in captum's PyTorch layout",
    ),
}
"""Every format by name, asked in this order."""


def read(path: Path) -> Checkpoint:
    """A file of any known format, recognised by its content -> Checkpoint named after the file.

    Raises CheckpointError, which names the file, says what is wrong with it and what to do.
    """
    try:
        raw = read_container(path)
        for format_ in FORMATS.values():
            if format_.recognises(raw):
                return _checkpoint(path, raw, format_)
        if raw.metadata.get("format") == nin_file.FORMAT:
            raise CheckpointError(
                "it holds a Network in Network, which has no modules and no heads to look at; programs read it with "
                "inception_model.checkpoints.nin_file.load_nin"
            )
        titles = "; ".join(format_.title for format_ in FORMATS.values())
        names = first_few(map(shown, sorted(raw.tensors)))
        raise CheckpointError(f"unknown tensor names ({names}); known are files of: {titles}")
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"{path} can't be used: {error}") from error


def _checkpoint(path: Path, raw: Raw, format_: Format) -> Checkpoint:
    """Everything that the file says is checked before its tensors are read."""
    try:
        spec = format_.spec(raw)
        trained = format_.heads_trained(raw)
        labels = format_.labels(raw)
        if labels and len(labels) != spec.classes:
            raise CheckpointError(f"it has {len(labels)} labels for {spec.classes} classes")
        described = Checkpoint(
            name=path.stem,
            spec=spec,
            preprocessing=format_.preprocessing(raw),
            labels=labels,
            state={},
            heads_trained=tuple(head for head in spec.heads if head in trained),
            source=format_.source(raw),
            sha256="",
            card=format_.card(raw),
            accuracy=format_.accuracy(raw),
            calibration=format_.calibration(raw),
            curve=format_.curve(raw),
        )
        size = described.preprocessing.size
        require_affordable(spec, size)
        if size != DEFAULT_SIZE:  # at which every spec has been tried
            require_fitting_layers(spec, size)
        state = fitted(raw.tensors, format_.names, spec)
    except CheckpointError as error:
        raise CheckpointError(f"it looks like {format_.title}, but {error}") from error
    return replace(described, state=state, sha256=file_sha256(path))
