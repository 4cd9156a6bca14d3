"""InceptionScope's library: a trained GoogLeNet, asked, looked into, explained and taken apart.

    classifier = build(load("tiny-imagenet"))
    trace = capture(classifier, classifier.prepare(image))

What is listed here is what users may call; it is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .analysis.ablation import Ablation, ablate
    from .attribution import Attribution, explain
    from .checkpoints.checkpoint import Checkpoint
    from .checkpoints.store import load
    from .inference.classifier import Classifier, build
    from .inference.onnx_export import export
    from .inference.trace import Trace, capture
    from .visualization import Visualization, visualize

_HOMES = {
    "Ablation": "analysis.ablation",
    "Attribution": "attribution",
    "Checkpoint": "checkpoints.checkpoint",
    "Classifier": "inference.classifier",
    "Trace": "inference.trace",
    "Visualization": "visualization",
    "ablate": "analysis.ablation",
    "build": "inference.classifier",
    "capture": "inference.trace",
    "explain": "attribution",
    "export": "inference.onnx_export",
    "load": "checkpoints.store",
    "visualize": "visualization",
}
"""Where each name lives."""

__all__ = [
    "Ablation",
    "Attribution",
    "Checkpoint",
    "Classifier",
    "Trace",
    "Visualization",
    "__version__",
    "ablate",
    "build",
    "capture",
    "explain",
    "export",
    "load",
    "visualize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
