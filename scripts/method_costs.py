"""What every attribution method takes in forward passes of one image: `python scripts/method_costs.py`.

Prints, per method, the constants `pace` of its row in METHODS (once, and per image), from its time at two sizes,
and how the time at the default options compares with what METHODS promises (0.67 to 1.5 is wanted). The machine has to
be quiet; torch takes as many threads as it does in the app.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inception_model.attribution import METHODS, explain
from inception_model.checkpoints.store import load
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import build
from tests.benchmarks.timing import print_machine

SMALL: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 17},
    "smoothgrad": {"samples": 8},
    "gradient_shap": {"samples": 8},
    "occlusion": {"window": 64, "stride": 56},
    "superpixels": {"segments": 15},
    "layer_conductance": {"steps": 12},
}
"""The second size of methods that have one."""
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The median over a few rounds, after one that warms up."""
    work()
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def main() -> None:
    """A row per method."""
    warnings.filterwarnings("ignore", module="captum")
    classifier = build(load("tiny-imagenet"), "cpu")
    x = classifier.prepare(sample_photo("cat").image)
    unit = seconds(lambda: [classifier.heads_of(x) for _ in range(4)]) / 4
    print_machine()
    print(f"a forward pass: {unit * 1e3:.1f} ms")
    print(f"{'method':22}{'passes':>8}{'promised':>10}{'ratio':>7}   pace", flush=True)
    for name, row in METHODS.items():

        def passes(options: Mapping[str, Any], name: str = name) -> float:
            return seconds(lambda: explain(classifier, x, name, options=options)) / unit

        full = passes({})
        if name in SMALL:
            few, many = (row.images(row.defaults | options, x.shape[-1]) for options in (SMALL[name], {}))
            each = (full - passes(SMALL[name])) / (many - few)
            pace = f"({full - each * many:.1f}, {each:.2f})"
        else:
            pace = f"(0.0, {full / row.images(row.defaults, x.shape[-1]):.1f})"
        print(f"{name:22}{full:8.1f}{row.cost():10.1f}{full / row.cost():7.2f}   {pace}", flush=True)


if __name__ == "__main__":
    main()
