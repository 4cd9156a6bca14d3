"""The paper's 144 crops of a photo beside one centre view, both from the photo to the heads' answers."""

from __future__ import annotations

from inception_model.checkpoints.store import load
from inception_model.images.crops import CROPS, first_crops
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import build
from inception_model.inference.voting import vote

from .timing import interleaved, print_machine, print_ratios

TITLE = "144 crops beside one centre view (three heads, CPU)"
ROUNDS = 3
LIMIT = 60
"""Centre views that 144 crops should cost at most; on one core only where crops coincide or in bfloat16."""


def main() -> None:
    """Prints a table per number type: a square photo has 48 different crops, a landscape 144."""
    print_machine()
    landscape = sample_photo("cat").image
    square = landscape.crop((0, 0, landscape.height, landscape.height))
    for precision in ("float32", "bfloat16"):
        classifier = build(load("tiny-imagenet"), "cpu", precision)
        contestants = {
            "centre view": lambda c=classifier: c.heads_of(c.prepare(landscape)),
            "10 crops": lambda c=classifier: vote(c, landscape, first_crops(10)),
            "144 crops, square": lambda c=classifier: vote(c, square, CROPS),
            "144 crops, landscape": lambda c=classifier: vote(c, landscape, CROPS),
        }
        print(f"\n{precision}; wanted: at most {LIMIT} centre views")
        print_ratios(interleaved(contestants, rounds=ROUNDS, warmup=1), "centre view")
