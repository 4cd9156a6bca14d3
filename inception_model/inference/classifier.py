"""Classifier: a checkpoint's network on a device, ready to be asked. Twins share its weights but no hooks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from ..architecture import cpu_kernels
from ..architecture.network import GoogLeNet, Heads
from ..architecture.probabilities import Temperatures, probabilities
from ..architecture.spec import HeadName
from ..architecture.weights import weight_sharing_twin
from ..checkpoints.checkpoint import Checkpoint
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing

Precision = Literal["float32", "bfloat16", "float16"]
DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DEVICES = ("auto", "cpu", "cuda", "mps")
DEFAULT_DEVICE = "auto"
DEFAULT_PRECISION: Precision = "float32"


class DeviceError(RuntimeError):
    """The asked-for device is not there; the message says which ones are."""


def available_devices() -> tuple[str, ...]:
    """Devices that torch can use here, fastest first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def pick_device(name: str = DEFAULT_DEVICE) -> torch.device:
    """`auto` takes the fastest there is; a device that is missing raises DeviceError."""
    if name not in DEVICES:
        raise DeviceError(f"unknown device {name!r}; allowed: {', '.join(DEVICES)}")
    found = available_devices()
    if name == "auto":
        return torch.device(found[0])
    if name not in found:
        raise DeviceError(
            f"device {name!r} was asked for, but torch finds only: {', '.join(found)}. Use --device auto."
        )
    return torch.device(name)


@dataclass(frozen=True)
class Answer:
    """One class in a head's ranking: its index, WordNet id, words, probability and logit."""

    index: int
    wnid: str
    label: str
    probability: float
    logit: float


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode with frozen weights in channels-last memory. One thread at a time may hook it."""

    checkpoint: Checkpoint
    network: GoogLeNet
    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of weights and activations."""
        return DTYPES[self.precision]

    @property
    def preprocessing(self) -> Preprocessing:
        """How a photo becomes this network's input."""
        return self.checkpoint.preprocessing

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """Heads that the network has, trained or not."""
        return self.checkpoint.spec.heads

    @property
    def trained_heads(self) -> tuple[HeadName, ...]:
        """Heads whose logits are predictions."""
        return self.checkpoint.heads_trained

    @property
    def temperatures(self) -> Temperatures:
        """Head -> what its logits are divided by before the softmax; empty where all probabilities are raw."""
        return self.checkpoint.temperatures

    def raw(self) -> Classifier:
        """The same network whose probabilities are plain softmax."""
        return replace(self, checkpoint=self.checkpoint.raw())

    def prepare(self, image: Image.Image, square: Box | None = None) -> Tensor:
        """A photo, or a square of it -> (1, 3, S, S) on the device, in the network's type and memory format."""
        return self.to_input(self.preprocessing(image, square))

    def to_input(self, x: Tensor) -> Tensor:
        """Any normalised (N, 3, S, S) -> on the device, in the network's type and memory format."""
        return x.to(self.device, self.dtype, memory_format=torch.channels_last)

    def heads_of(self, x: Tensor) -> Heads:
        """Logits (N, K) of the heads, float32 on the CPU, without gradient."""
        with torch.inference_mode():
            heads = self.network.forward_heads(self.to_input(x))
        return heads.map(lambda logits: logits.float().cpu())

    def twin(self) -> Classifier:
        """A Classifier with its own hooks and the same weight tensors."""
        return replace(self, network=weight_sharing_twin(self.network))

    def probabilities(self, logits: Tensor, head: HeadName | str | None) -> Tensor:
        """(..., K) -> (..., K): what a head's logits mean, at its temperature; `head` None: of what is no head."""
        return probabilities(logits, head, self.temperatures)

    def top(self, logits: Tensor, head: HeadName | str | None, count: int = 5) -> list[Answer]:
        """The `count` most probable classes of one row of a head's logits (K,), most probable first.

        `head` None: of what is no head and has no temperature, such as a probe.
        """
        values, indices = self.probabilities(logits.float(), head).topk(min(count, len(logits)))
        return [
            Answer(i, self.checkpoint.label(i).wnid, self.checkpoint.label(i).words, p, float(logits[i]))
            for i, p in zip(indices.tolist(), values.tolist(), strict=True)
        ]


def build(checkpoint: Checkpoint, device: str = DEFAULT_DEVICE, precision: str = DEFAULT_PRECISION) -> Classifier:
    """Puts a checkpoint's network on a device, on the CPU with the faster ways of `cpu_kernels` for one image.

    Raises DeviceError or ValueError on what is not possible.
    """
    if precision not in DTYPES:
        raise ValueError(f"unknown precision {precision!r}; allowed: {', '.join(DTYPES)}")
    where = pick_device(device)
    network = checkpoint.network().to(where, DTYPES[precision]).to(memory_format=torch.channels_last)
    if where.type == "cpu":
        cpu_kernels.install(network)
    return Classifier(checkpoint, network, where, precision)  # type: ignore[arg-type]
