"""A few images of noise in class folders, two of them broken, and a small network, for tests of an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import save
from inception_model.inference.classifier import Classifier, build
from tests.random_networks import random_classifier

CLASSES = ("one", "three", "two")
SIZES = ((80, 60), (60, 90), (64, 64), (224, 224), (120, 40))
EACH = 4
BROKEN = ("one/1.png", "two/3.png")
"""Not an image, and one that is cut short."""


def small_network(folder: Path, seed: int = 0) -> Classifier:
    """Random weights in a file of `folder`: another seed, another file."""
    made = random_classifier(tiny(len(CLASSES))).checkpoint
    labels = tuple(Label(index, name, f"a {name}") for index, name in enumerate(CLASSES))
    state = {key: value + 0.01 * seed for key, value in made.state.items()}
    file = folder / f"small{seed}.safetensors"
    return build(save(replace(made, labels=labels, state=state), file), "cpu")


def image_folder(root: Path, names: Sequence[str] = CLASSES) -> Path:
    """EACH images of every class, in sizes of their own; two are broken where the classes are CLASSES."""
    rng = np.random.default_rng(5)
    for place, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(EACH):
            width, height = SIZES[(EACH * place + number) % len(SIZES)]
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    if names is not CLASSES:
        return root
    (root / BROKEN[0]).write_text("no image at all")
    cut = (root / BROKEN[1]).read_bytes()
    (root / BROKEN[1]).write_bytes(cut[: len(cut) // 2])
    return root
