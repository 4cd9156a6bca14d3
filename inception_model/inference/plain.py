"""A classifier and a trace as plain data: what the JSON of commands and of the server's API begins with and lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from .classifier import Classifier
from .trace import Trace


def describe(classifier: Classifier) -> dict[str, Any]:
    """The first keys of every JSON answer."""
    return {
        "checkpoint": classifier.checkpoint.name,
        "sha256": classifier.checkpoint.sha256,
        "device": str(classifier.device),
        "precision": classifier.precision,
        "temperatures": dict(classifier.temperatures),
    }


def trace_arrays(trace: Trace) -> dict[str, np.ndarray]:
    """The first image's arrays: `4d/5x5` (C, H, W) and so on for all modules, `logits/main` (K,)."""
    arrays = {
        f"{name}/{node}": tensor[0].contiguous().numpy()
        for name, block in trace.blocks.items()
        for node, tensor in block.nodes()
    }
    logits = {f"logits/{head}": value[0].numpy() for head, value in trace.heads._asdict().items() if value is not None}
    return arrays | logits


def inspection(classifier: Classifier, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """`arrays`: shape, mean, largest value and share of zeros of each; `untrained_heads`: whose logits say nothing."""
    return {
        "untrained_heads": [head for head in classifier.heads if head not in classifier.trained_heads],
        "arrays": {name: _summary(values) for name, values in arrays.items()},
    }


def _summary(values: np.ndarray) -> dict[str, Any]:
    return {
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "max": float(values.max()),
        "zeros": float((values == 0).mean()),
    }
