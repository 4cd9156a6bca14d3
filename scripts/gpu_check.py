"""Compares a GPU with the CPU: the same answers, and how much faster. `make gpu-check`; without a GPU it says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.checkpoints.store import load
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier, available_devices, build
from inception_model.inference.trace import Trace, capture

# Relative norm of the deviation from the CPU in float32 that each precision may have. NVIDIA's convolutions round
# float32 inputs to TF32 (10 bits), as PyTorch does by default.
ALLOWED = {"float32": 5e-3, "bfloat16": 5e-2, "float16": 1e-2}


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """|found - wanted| / |wanted|."""
    return float((found - wanted).norm() / wanted.norm())


def seconds(run: Callable[[], object], *, rounds: int = 10) -> float:
    """Best of some rounds; every contestant ends on the CPU, so nothing is still on its way."""
    run()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def worst_map(found: Trace, wanted: Trace) -> float:
    """The largest deviation of any map of any module."""
    return max(
        relative(tensor, wanted.block(name).node(node))
        for name, block in found.blocks.items()
        for node, tensor in block.nodes()
    )


def compare(checkpoint: Checkpoint, device: str, reference: Classifier) -> bool:
    """Prints one line for each precision; True if all are within what is allowed."""
    x = reference.prepare(sample_photo("cat").image)
    batch = x.repeat(64, 1, 1, 1)
    wanted = capture(reference, x)
    fine = True
    for precision, allowed in ALLOWED.items():
        classifier = build(checkpoint, device, precision)
        trace = capture(classifier, x)
        heads = [relative(trace.logits(head), wanted.logits(head)) for head in classifier.heads]
        maps = worst_map(trace, wanted)
        same = bool(trace.logits("main").argmax() == wanted.logits("main").argmax())
        ok = max(heads) <= allowed and same
        fine = fine and ok
        look = seconds(lambda c=classifier: capture(c, x))  # type: ignore[misc]
        rate = len(batch) / seconds(lambda c=classifier: c.heads_of(batch), rounds=3)  # type: ignore[misc]
        print(
            f"{device:>6} {precision:>9} {max(heads):12.1e} {maps:12.1e} {'yes' if same else 'NO':>10} "
            f"{look * 1e3:9.1f} ms {rate:9.0f} /s  {'ok' if ok else f'above {allowed:g}'}"
        )
    return fine


def main() -> int:
    """Status 0 where there is no GPU, and where the GPU agrees with the CPU."""
    devices = [device for device in available_devices() if device != "cpu"]
    if not devices:
        print("No GPU that torch can use here: nothing to compare (the app runs on the CPU).")
        return 0
    checkpoint = load("tiny-imagenet")
    reference = build(checkpoint, "cpu")
    x = reference.prepare(sample_photo("cat").image)
    name = torch.cuda.get_device_name() if "cuda" in devices else devices[0]
    print(f"{name}, torch {torch.__version__}; deviations are relative norms from the CPU in float32\n")
    print(" device precision   worst head    worst map same class    full look        heads")
    look = seconds(lambda: capture(reference, x))
    rate = 64 / seconds(lambda: reference.heads_of(x.repeat(64, 1, 1, 1)), rounds=1)
    print(f"{'cpu':>6} {'float32':>9} {0:12.1e} {0:12.1e} {'yes':>10} {look * 1e3:9.1f} ms {rate:9.0f} /s  reference")
    agree = [compare(checkpoint, device, reference) for device in devices]
    return 0 if all(agree) else 1


if __name__ == "__main__":
    raise SystemExit(main())
