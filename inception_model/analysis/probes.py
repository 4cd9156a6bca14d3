"""Linear probes: what a linear classifier reads off each module's pooled output (Alain and Bengio 2016, 1610.01644).

The main head is a linear layer on the average of every channel of 5b; a probe is the same at any module, trained
afterwards while the network stays as it is. An accuracy that rises with the depth says that the classes come apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints import plain_json
from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.containers import Raw, read_container
from ..checkpoints.fitting import NUMBERS
from ..checkpoints.limits import MAX_BESIDE, MAX_IMAGES
from ..checkpoints.metadata import read_shares, read_source
from ..checkpoints.safetensors_format import write_tensors
from ..checkpoints.store import beside
from ..checkpoints.stored import all_finite
from ..inference.classifier import Classifier
from ..inference.trace import Trace
from ..progress import Progress
from ..training.data import LabelledImages
from ..training.evaluation import BATCH, HeadAccuracy, accuracy_of, centre_views
from .ablation import channel_means

FORMAT = "inceptionscope-probes-1"
DECAYS = (1.0, 0.3, 0.1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
"""Weight decays that are tried, strongest first."""
HELD_OUT = 10
"""One in so many training images chooses the weight decay where no others are held out."""


@dataclass(frozen=True)
class Probe:
    """One module's probe: `weight` (K, C) and `bias` (K,), float32, on the average of each channel.

    `decay`: the weight decay that was chosen. `accuracy`: on the validation images.
    """

    weight: Tensor
    bias: Tensor
    decay: float
    accuracy: HeadAccuracy


@dataclass(frozen=True, eq=False)
class Probes:
    """The probes of one checkpoint, by module in the order of depth.

    `sha256`: of the checkpoint's file; probes say nothing about any other network. `training`, `validation`: images
    that they were trained on and measured with. `source`: how they were made, in words.
    """

    sha256: str
    modules: dict[str, Probe]
    training: int
    validation: int
    source: str


@dataclass(frozen=True)
class Features:
    """What probes see of n labelled images: module -> (n, C) float16 channel averages, and labels (n,)."""

    values: dict[str, Tensor]
    labels: Tensor


def pooled(trace: Trace, module: str) -> Tensor:
    """(N, C): the average of each channel of a module's output over all positions; KeyError for unknown modules."""
    return trace.block(module).output.mean(dim=(2, 3))


def probe_logits(probes: Probes, trace: Trace) -> dict[str, Tensor]:
    """Module -> (N, K) logits of its probe, from a trace of the same network alone: no forward pass."""
    return {name: F.linear(pooled(trace, name), probe.weight, probe.bias) for name, probe in probes.modules.items()}


# Training


def collect_features(
    classifier: Classifier, images: LabelledImages, *, batch: int = BATCH, progress: Progress | None = None
) -> Features:
    """One pass over the images' centre views that keeps every module's channel averages."""
    found: dict[str, list[Tensor]] = {name: [] for name in classifier.checkpoint.spec.module_names}
    labels: list[Tensor] = []
    for x, truth in centre_views(images, classifier.preprocessing, batch=batch, device=classifier.device):
        for name, values in channel_means(classifier, x).items():
            found[name].append(values.half())
        labels.append(truth)
        if progress is not None:
            progress(sum(map(len, labels)), len(images))
    return Features({name: torch.cat(parts) for name, parts in found.items()}, torch.cat(labels))


def train_probes(
    classifier: Classifier,
    training: Features,
    validation: Features,
    source: str,
    progress: Progress | None = None,
    choosing: Features | None = None,
) -> Probes:
    """A probe for every module, measured as it will be stored (fp16); `progress` counts modules.

    `choosing`: images that the network was not trained on, which choose the weight decay.
    """
    modules: dict[str, Probe] = {}
    for name, values in training.values.items():
        held = None if choosing is None else (choosing.values[name], choosing.labels)
        weight, bias, decay = fit(values, training.labels, classifier.checkpoint.spec.classes, choosing=held)
        logits = F.linear(validation.values[name].float(), weight, bias)
        modules[name] = Probe(weight, bias, decay, accuracy_of(logits, validation.labels))
        if progress is not None:
            progress(len(modules), len(training.values))
    return Probes(classifier.checkpoint.sha256, modules, len(training.labels), len(validation.labels), source)


def fit(
    features: Tensor,
    labels: Tensor,
    classes: int,
    decays: Sequence[float] = DECAYS,
    seed: int = 0,
    choosing: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, float]:
    """Multinomial logistic regression: features (n, C), labels (n,) -> weight (K, C), bias (K,) and weight decay.

    The decay is lowered until the loss on held-out images rises: on those of `choosing` (features and labels), else on
    a tenth of these, and then all images are used. Features are standardised for it, which the returned weight and bias
    contain. Both hold numbers that fp16 can store.
    """
    if len(labels) < 2:
        raise ValueError(f"a probe needs at least two images to learn from; got {len(labels)}")
    x = features.float()
    mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0)
    varies = deviation > 1e-5 * x.abs().amax(dim=0)  # a channel that never changes gets no weight
    scale = torch.where(varies, 1 / deviation, 0.0)
    x = (x - mean) * scale
    if choosing is not None:
        held_out = (choosing[0].float() - mean) * scale
        decay, (weight, bias) = _choose_decay(x, labels, held_out, choosing[1], classes, decays)
    else:
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        held, rest = order.tensor_split([max(1, len(x) // HELD_OUT)])
        decay, start = _choose_decay(x[rest], labels[rest], x[held], labels[held], classes, decays)
        weight, bias = minimise(x, labels, decay, *start)
    weight = (weight * scale).half().float()
    return weight, (bias - weight @ mean).half().float(), decay


def _choose_decay(
    x: Tensor, labels: Tensor, held: Tensor, held_labels: Tensor, classes: int, decays: Sequence[float]
) -> tuple[float, tuple[Tensor, Tensor]]:
    """The decay with the lowest loss on the held-out images, and the parameters that it led to."""
    start = torch.zeros(classes, x.shape[1]), torch.zeros(classes)
    chosen, kept, lowest = decays[0], start, float("inf")
    for decay in decays:
        start = minimise(x, labels, decay, *start)
        loss = float(F.cross_entropy(F.linear(held, *start), held_labels))
        if loss >= lowest:
            break
        chosen, kept, lowest = decay, start, loss
    return chosen, kept


def minimise(
    x: Tensor, labels: Tensor, decay: float, weight: Tensor, bias: Tensor, steps: int = 100
) -> tuple[Tensor, Tensor]:
    """The minimum of mean cross entropy + decay / 2 * |weight|^2 (convex), from the given start: (K, C), (K,)."""
    parameters = [weight.clone().requires_grad_(), bias.clone().requires_grad_()]
    optimiser = torch.optim.LBFGS(
        parameters, max_iter=steps, tolerance_grad=1e-5, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(F.linear(x, *parameters), labels) + decay / 2 * parameters[0].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimiser.step(loss)  # type: ignore[no-untyped-call]
    return parameters[0].detach(), parameters[1].detach()


# Files


def probes_path(name_or_path: str | Path) -> Path:
    """Where a checkpoint's probes lie: `NAME.probes.safetensors` beside its file, which may be named as for `load`."""
    return beside(name_or_path, "probes.safetensors")


def save_probes(probes: Probes, path: Path) -> None:
    """Writes fp16 safetensors, atomically; accuracies and origin go into the metadata."""
    tensors = {f"{name}.weight": probe.weight for name, probe in probes.modules.items()}
    tensors |= {f"{name}.bias": probe.bias for name, probe in probes.modules.items()}
    rows = {name: {"decay": probe.decay, **asdict(probe.accuracy)} for name, probe in probes.modules.items()}
    metadata = {
        "format": FORMAT,
        "checkpoint": probes.sha256,
        "modules": json.dumps(rows),
        "images": json.dumps([probes.training, probes.validation]),
        "source": probes.source,
    }
    write_tensors(tensors, metadata, path)


def load_probes(path: Path, checkpoint: Checkpoint) -> Probes:
    """The probes in a file, which is untrusted input and must be of this checkpoint; raises CheckpointError if not."""
    try:
        raw = read_container(path)
        if raw.metadata.get("format") != FORMAT:
            raise CheckpointError("it is no file of probes; `python -m inception_model probe` writes one")
        _require_same_network(raw.metadata.get("checkpoint", ""), checkpoint)
        try:
            return _parsed(raw, checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f"the file is damaged ({error})") from error
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"the probes in {path.name} can't be used: {error}") from error


def _require_same_network(sha256: str, checkpoint: Checkpoint) -> None:
    again = "train new ones with `python -m inception_model probe`"
    require_made_for(checkpoint, sha256, "they were trained on", again)


def _parsed(raw: Raw, checkpoint: Checkpoint) -> Probes:
    spec = checkpoint.spec
    rows = plain_json.entries(_text(raw, "modules"), "its table of modules", len(spec.module_names))
    counts = plain_json.items(_text(raw, "images"), "its numbers of images", 2)
    if len(counts) != 2:
        raise CheckpointError(f"it has {len(counts)} numbers of images, where two are expected")
    training, validation = (plain_json.whole(count, "a number of images", 0, MAX_IMAGES) for count in counts)
    shapes = {
        f"{name}.{part}": shape
        for name in spec.module_names
        for part, shape in (("weight", (spec.classes, spec.block(name).out_channels)), ("bias", (spec.classes,)))
    }
    for key, shape in shapes.items():  # one after the other is looked at before the first one is kept
        found = raw.tensors.get(key)
        if found is None or found.shape != shape or found.dtype not in NUMBERS:
            what = "is missing" if found is None else f"has {found.shape}, where numbers of {shape} are expected"
            raise CheckpointError(f"{key} {what}")
        if not all_finite(found.read()):
            raise CheckpointError(f"{key} holds numbers that are not finite")
    modules = {}
    for name in spec.module_names:
        weight, bias = (raw.tensors[f"{name}.{part}"].read().float() for part in ("weight", "bias"))
        row = plain_json.entries(rows.get(name), f"its line of {name}", 16)
        decay = plain_json.number(row.get("decay"), f"the decay of {name}", 0, 1e6)
        modules[name] = Probe(weight, bias, decay, HeadAccuracy(**read_shares(row, name)))
    return Probes(checkpoint.sha256, modules, training, validation, read_source(raw.metadata))


def _text(raw: Raw, key: str) -> Any:
    if key not in raw.metadata:
        raise CheckpointError(f"the metadata lack {key!r}")
    return plain_json.parse(raw.metadata[key], MAX_BESIDE, f"the metadata's {key!r}")
