"""Weight files of the published structure, made here with random numbers; none of this project's readers is used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import GoogLeNet as TorchvisionGoogLeNet

Layers = dict[str, tuple[Tensor, Tensor]]
"""Layer name -> (weight, bias)."""

MODULES = {  # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
INCEPTION5H = MODULES | {"4a": (192, 96, 204, 16, 48, 64), "5a": (256, 160, 320, 48, 128, 128)}
UNITS = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")


def torchvision_network(classes: int = 1000, *, aux: bool = True, seed: int = 0) -> TorchvisionGoogLeNet:
    """torchvision's own network in eval mode with random weights and random batch norm statistics."""
    torch.manual_seed(seed)
    network = TorchvisionGoogLeNet(num_classes=classes, aux_logits=aux, transform_input=False, init_weights=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):  # torch's own start lets the image's signal die on the way
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.3, 2.0)
    return network.eval()


def caffe_layers(classes: int = 1000, *, aux: bool = True, seed: int = 0) -> Layers:
    """bvlc_googlenet's layers by Caffe's names."""
    made = _Maker(seed)
    made.conv("conv1/7x7_s2", 64, 3, 7)
    made.conv("conv2/3x3_reduce", 64, 64, 1)
    made.conv("conv2/3x3", 192, 64, 3)
    made.modules(MODULES, lambda name, unit: f"inception_{name}/{unit}")
    for head, channels in (("loss1", 512), ("loss2", 528)) if aux else ():
        made.conv(f"{head}/conv", 128, channels, 1)
        made.linear(f"{head}/fc", 1024, 2048)
        made.linear(f"{head}/classifier", classes, 1024)
    made.linear("loss3/classifier", classes, 1024)
    return made.layers


def inception5h_layers(classes: int = 1008, seed: int = 0) -> Layers:
    """inception5h's layers by captum's names."""
    made = _Maker(seed)
    made.conv("conv1", 64, 3, 7)
    made.conv("conv2", 64, 64, 1)
    made.conv("conv3", 192, 64, 3)
    made.modules(INCEPTION5H, lambda name, unit: f"mixed{name}.{unit if unit == 'pool_proj' else f'conv_{unit}'}")
    made.linear("fc", classes, 1024)
    return made.layers


class _Maker:
    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.layers: Layers = {}

    def conv(self, name: str, out: int, channels: int, kernel: int) -> None:
        self._add(name, (out, channels, kernel, kernel))

    def linear(self, name: str, out: int, features: int) -> None:
        self._add(name, (out, features))

    def modules(self, table: Mapping[str, tuple[int, ...]], name_of: Callable[[str, str], str]) -> None:
        channels = 192
        for name, (one, r3, three, r5, five, pool) in table.items():
            shapes = ((one, channels, 1), (r3, channels, 1), (three, r3, 3), (r5, channels, 1), (five, r5, 5))
            for unit, shape in zip(UNITS, (*shapes, (pool, channels, 1)), strict=True):
                self.conv(name_of(name, unit), *shape)
            channels = one + three + five + pool

    def _add(self, name: str, shape: tuple[int, ...]) -> None:
        fan_in = torch.Size(shape[1:]).numel()
        weight = torch.randn(shape, generator=self.generator) * (2 / fan_in) ** 0.5
        self.layers[name] = weight, torch.randn(shape[0], generator=self.generator) * 0.1


def state_dict(layers: Layers) -> dict[str, Tensor]:
    """Layers as a torch state dict."""
    named = {f"{name}.weight": weight for name, (weight, _) in layers.items()}
    return named | {f"{name}.bias": bias for name, (_, bias) in layers.items()}


def expanded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same keys and shapes, each tensor one zero repeated: a file of the right structure of a few kilobytes."""
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in state.items()}


# Caffe's protobuf.


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, content: bytes | int) -> bytes:
    """One protobuf field: a varint, or a length and bytes."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(tensor: Tensor, *, legacy: bool, dims: tuple[int, ...] | None = None, double: bool = False) -> bytes:
    """A BlobProto, with legacy num, channels, height, width, or with a BlobShape; packed floats or doubles."""
    shape = tuple(tensor.shape) if dims is None else dims
    if legacy:
        shape = (1,) * (4 - len(shape)) + shape
        head = b"".join(field(number, size) for number, size in enumerate(shape, start=1))
    else:
        head = field(7, field(1, b"".join(map(varint, shape))))
    numbers = tensor.flatten().double().numpy() if double else tensor.flatten().numpy()
    return head + field(8 if double else 5, numbers.tobytes())


def caffemodel(layers: Layers, version: int, *, double: bool = False) -> bytes:
    """A NetParameter with V1 layers and legacy dimensions, or V2 layers and shapes; layers without blobs between."""
    name, bottom, top, kind, blobs = {1: (4, 2, 3, 5, 6), 2: (1, 3, 4, 2, 7)}[version]
    outer = {1: 2, 2: 100}[version]
    out = [field(1, b"GoogleNet")]
    for layer, tensors in layers.items():
        types = {1: (4, 14), 2: (b"Convolution", b"InnerProduct")}[version]
        message = field(name, layer.encode()) + field(bottom, b"data") + field(top, layer.encode())
        message += field(kind, types[tensors[0].ndim == 2])
        message += b"".join(field(blobs, blob(tensor, legacy=version == 1, double=double)) for tensor in tensors)
        message += varint(12 << 3 | 5) + struct.pack("<f", 1.0)  # a fixed32 field, to be stepped over
        relu = field(name, f"{layer}/relu".encode()) + field(kind, 18 if version == 1 else b"ReLU")
        out += [field(outer, message), field(outer, relu)]
    return b"".join(out)


# The same networks written as plain function calls: what a reader's result is compared with.


def functional_caffe(layers: Layers, x: Tensor) -> dict[str, Tensor]:
    """bvlc_googlenet's prototxt as function calls: logits of loss1, loss2, loss3."""

    def conv(name: str, x: Tensor, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, *layers[name], **options))

    def lrn(x: Tensor) -> Tensor:
        return F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    def aux(head: str, x: Tensor) -> Tensor:
        x = conv(f"{head}/conv", F.avg_pool2d(x, 5, 3)).flatten(1)
        return F.linear(F.relu(F.linear(x, *layers[f"{head}/fc"])), *layers[f"{head}/classifier"])

    x = lrn(_pool(conv("conv1/7x7_s2", x, stride=2, padding=3)))
    x = _pool(lrn(conv("conv2/3x3", conv("conv2/3x3_reduce", x), padding=1)))
    heads: dict[str, Tensor] = {}
    for name, out in _modules(lambda name, unit, x, pad: conv(f"inception_{name}/{unit}", x, padding=pad), x):
        if name in ("4a", "4d") and "loss1/conv" in layers:
            head = "loss1" if name == "4a" else "loss2"
            heads[head] = aux(head, out)
        x = out
    return heads | {"loss3": F.linear(x.mean((2, 3)), *layers["loss3/classifier"])}


def functional_inception5h(layers: Layers, x: Tensor) -> Tensor:
    """inception5h's graph as function calls: logits."""

    def conv(name: str, x: Tensor, padding: int = 0) -> Tensor:
        return F.relu(F.conv2d(x, *layers[name], padding=padding))

    def lrn(x: Tensor) -> Tensor:
        return F.local_response_norm(x, 11, 0.0011, 0.5, 2.0)

    x = F.relu(F.conv2d(F.pad(x, (2, 3, 2, 3)), *layers["conv1"], stride=2))
    x = conv("conv3", conv("conv2", lrn(_pool(x))), 1)
    names = {unit: unit if unit == "pool_proj" else f"conv_{unit}" for unit in UNITS}
    for _, out in _modules(lambda name, unit, x, pad: conv(f"mixed{name}.{names[unit]}", x, pad), _pool(lrn(x))):
        x = out
    return F.linear(x.mean((2, 3)), *layers["fc"])


def _modules(conv: Callable[[str, str, Tensor, int], Tensor], x: Tensor) -> Iterator[tuple[str, Tensor]]:
    for name in MODULES:
        one = conv(name, "1x1", x, 0)
        three = conv(name, "3x3", conv(name, "3x3_reduce", x, 0), 1)
        five = conv(name, "5x5", conv(name, "5x5_reduce", x, 0), 2)
        pool = conv(name, "pool_proj", F.max_pool2d(x, 3, 1, 1), 0)
        x = torch.cat([one, three, five, pool], 1)
        yield name, x
        if name in ("3b", "4e"):
            x = _pool(x)


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def write(path: Path, content: bytes) -> Path:
    """The file, written."""
    path.write_bytes(content)
    return path
