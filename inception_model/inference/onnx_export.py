"""A network as an ONNX file that other runtimes and viewers open: three heads and, if asked, every map of every module.

The graph is written node by node from the spec, so that every node is called what the paper calls it (`4d/5x5`). Batch
norm is folded; dropout does nothing outside of training and is left out.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..architecture.network import AuxHead, ConvUnit, GoogLeNet, InceptionBlock
from ..architecture.spec import BRANCH_UNIT, BRANCHES, UNITS
from ..checkpoints.checkpoint import Checkpoint
from ..extras import how_to_install
from .classifier import Classifier

OPSET = 17
"""The set of ONNX operators: old enough for every runtime of today."""

IR_VERSION = 8
"""The file format that belongs to that set."""

MAPS = (*UNITS, "output")
"""What `branches` adds for every module: the outputs of the six convolutions (after ReLU) and the concatenation."""


class ExportError(RuntimeError):
    """The file can't be written; the message says why and what to do."""


def export(network: Checkpoint | Classifier, path: str | Path, branches: bool = False) -> Path:
    """Writes a checkpoint's network as ONNX and returns the path.

    Input `image`: (N, 3, S, S), normalised, float32. Outputs: logits (N, K) of every head by its name, with `branches`
    also `4d/5x5` (N, C, H, W) and so on, MAPS for each module. Labels, preprocessing, source and which heads are
    trained are in the file's metadata, as JSON. Raises ExportError without the package `onnx` or for a place that
    can't be written.
    """
    target = Path(path)
    checkpoint = network.checkpoint if isinstance(network, Classifier) else network
    data = model(checkpoint, branches).SerializeToString()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise ExportError(
            f"{target} can't be written: {error.strerror or error}; name a file in another folder"
        ) from error
    return target


def model(checkpoint: Checkpoint, branches: bool = False) -> Any:
    """The checked ONNX model of a checkpoint; see `export`."""
    onnx: Any = _onnx()
    graph = _Graph(checkpoint.network(), checkpoint.preprocessing.size)
    made = onnx.helper.make_model(
        graph.proto(branches),
        producer_name="inceptionscope",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        doc_string=f"{checkpoint.name}: GoogLeNet (Inception v1, arXiv 1409.4842), variant {checkpoint.spec.name}",
    )
    onnx.helper.set_model_props(made, metadata(checkpoint))
    onnx.checker.check_model(made, full_check=True)
    return made


def metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What the file says about itself; lists and numbers as JSON."""
    untrained = [head for head in checkpoint.spec.heads if head not in checkpoint.heads_trained]
    facts: dict[str, Any] = {
        "labels": [asdict(label) for label in checkpoint.labels],
        "preprocessing": asdict(checkpoint.preprocessing),
        "heads_trained": list(checkpoint.heads_trained),
        "heads_untrained": untrained,
    }
    note = f"{', '.join(untrained)}: never trained, the logits are no predictions" if untrained else ""
    return {
        "name": checkpoint.name,
        "spec": checkpoint.spec.name,
        "source": checkpoint.source,
        "sha256": checkpoint.sha256,
        "note": note,
        **{name: json.dumps(value) for name, value in facts.items()},
    }


def adaptive_matrix(side: int, places: int) -> np.ndarray:
    """(side, places): column i averages the window of place i, as `nn.AdaptiveAvgPool2d` does along one axis.

    Window i is [floor(i side / places), ceil((i + 1) side / places)): [0,4) [3,7) [7,11) [10,14) for 14 -> 4.
    """
    matrix = np.zeros((side, places), np.float32)
    for place in range(places):
        start, end = place * side // places, -(-(place + 1) * side // places)
        matrix[start:end, place] = 1 / (end - start)
    return matrix


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ExportError(f"the export needs the package onnx: {how_to_install('export')}") from error
    return onnx


class _Graph:
    """The network as ONNX nodes. A tensor is named after the node that makes it; `sides` are known sizes of maps."""

    def __init__(self, network: GoogLeNet, size: int) -> None:
        self.onnx, self.network, self.size = _onnx(), network, size
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.shapes: dict[str, tuple[int, ...]] = {"image": (3, size, size)}

    def proto(self, branches: bool) -> Any:
        """All nodes, with named inputs and outputs and a free batch axis."""
        self._network()
        spec = self.network.spec
        maps = [f"{name}/{node}" for name in spec.module_names for node in MAPS] if branches else []
        outputs = [*(head for head in ("main", "aux1", "aux2") if head in spec.heads), *maps]
        return self.onnx.helper.make_graph(
            self.nodes, "GoogLeNet", [self._info("image")], [self._info(name) for name in outputs], self.weights
        )

    def _info(self, name: str) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, ["batch", *self.shapes[name]])

    def _node(self, kind: str, inputs: list[str], output: str, shape: tuple[int, ...], **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        self.shapes[output] = shape
        return output

    def _constant(self, name: str, value: np.ndarray | Tensor) -> str:
        array = value.detach().cpu().contiguous().numpy() if isinstance(value, Tensor) else value
        self.weights.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def _network(self) -> None:
        net, spec = self.network, self.network.spec
        modules = net._modules
        x = self._max_pool(net.pool1, self._unit(modules["conv1"], "image", "conv1"), "pool1")
        x = self._unit(modules["conv2_reduce"], self._lrn(net.lrn1, x, "lrn1"), "conv2_reduce")
        x = self._unit(modules["conv2"], x, "conv2")
        x = self._max_pool(net.pool2, self._lrn(net.lrn2, x, "lrn2"), "pool2")
        for name in spec.module_names:
            x = last = self._block(net.block(name), x)
            for aux in spec.aux:
                if aux.after == name:
                    self._aux(net.aux_head(aux.name), x)
            if spec.pool_after(name) is not None:
                x = self._max_pool(modules[f"pool_{name}"], x, f"pool_{name}")
        pooled = self._node("GlobalAveragePool", [last], "avgpool", (self.shapes[last][0], 1, 1))
        self._linear(net.classifier, self._flat(pooled, "avgpool/flat"), "main")

    def _unit(self, unit: nn.Module | None, x: str, name: str) -> str:
        assert isinstance(unit, ConvUnit)
        conv = unit.conv
        assert conv.bias is not None
        before = after = int(conv.padding[0])
        if unit.pad is not None:
            before, after = unit.pad.padding[0], unit.pad.padding[1]
        (kernel, _), (stride, _) = conv.kernel_size, conv.stride
        side = (self.shapes[x][1] + before + after - kernel) // stride + 1
        shape = (conv.out_channels, side, side)
        inputs = [x, self._constant(f"{name}.weight", conv.weight), self._constant(f"{name}.bias", conv.bias)]
        pads = [before, before, after, after]
        made = self._node(
            "Conv", inputs, f"{name}/conv", shape, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )
        return self._node("Relu", [made], name, shape)

    def _max_pool(self, pool: nn.Module | None, x: str, name: str) -> str:
        assert isinstance(pool, nn.MaxPool2d)
        kernel, stride, padding = int(pool.kernel_size), int(pool.stride), int(pool.padding)  # type: ignore[arg-type]
        channels, side, _ = self.shapes[x]
        out = -(-(side + 2 * padding - kernel) // stride) + 1
        out -= (out - 1) * stride >= side + padding  # torch drops a window that starts in the padding at the end
        # The windows that ceil_mode adds, as padding: runtimes differ in their own ceil_mode.
        end = max(padding, (out - 1) * stride + kernel - side - padding)
        pads = [padding, padding, end, end]
        return self._node(
            "MaxPool", [x], name, (channels, out, out), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )

    def _lrn(self, lrn: nn.Module, x: str, name: str) -> str:
        if not isinstance(lrn, nn.LocalResponseNorm):
            return x
        values = {"alpha": float(lrn.alpha), "beta": float(lrn.beta), "bias": float(lrn.k)}
        return self._node("LRN", [x], name, self.shapes[x], size=lrn.size, **values)

    def _block(self, block: InceptionBlock, x: str) -> str:
        name = block.spec.name
        made: dict[str, str] = {}
        pooled = self._max_pool(block.pool, x, f"{name}/pool")
        for unit in UNITS:
            kind = unit.removesuffix("_reduce")
            source = pooled if unit == "pool_proj" else made.get(f"{kind}_reduce", x) if unit == kind else x
            made[unit] = self._unit(block.unit(unit), source, f"{name}/{unit}")
        parts = [made[BRANCH_UNIT[kind]] for kind in BRANCHES]
        shape = (block.spec.out_channels, *self.shapes[x][1:])
        return self._node("Concat", parts, f"{name}/output", shape, axis=1)

    def _aux(self, head: AuxHead, x: str) -> None:
        name = head.spec.name
        channels, side, _ = self.shapes[x]
        if isinstance(head.pool, nn.AdaptiveAvgPool2d):
            matrix = adaptive_matrix(side, 4)
            across = self._constant(f"{name}/windows", matrix)
            down = self._constant(f"{name}/windows.transposed", np.ascontiguousarray(matrix.T))
            rows = self._node("MatMul", [x, across], f"{name}/pool/rows", (channels, side, 4))
            pooled = self._node("MatMul", [down, rows], f"{name}/pool", (channels, 4, 4))
        else:
            out = (side - 5) // 3 + 1
            pooled = self._node(
                "AveragePool", [x], f"{name}/pool", (channels, out, out), kernel_shape=[5, 5], strides=[3, 3]
            )
        flat = self._flat(self._unit(head.conv, pooled, f"{name}/conv"), f"{name}/flat")
        hidden = self._linear(head.fc, flat, f"{name}/fc")
        hidden = self._node("Relu", [hidden], f"{name}/relu", self.shapes[hidden])
        self._linear(head.classifier, hidden, name)

    def _flat(self, x: str, name: str) -> str:
        return self._node("Flatten", [x], name, (int(np.prod(self.shapes[x])),), axis=1)

    def _linear(self, linear: nn.Linear, x: str, name: str) -> str:
        inputs = [x, self._constant(f"{name}.weight", linear.weight), self._constant(f"{name}.bias", linear.bias)]
        return self._node("Gemm", inputs, name, (linear.out_features,), transB=1)
