"""What tests of several files here look at: a small data set whose classes are told by their colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.analysis.colours import COLOURS


@pytest.fixture(scope="session")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes told by their colour, a folder each; 8 training and 4 validation images a class."""
    root, rng = tmp_path_factory.mktemp("coloured"), np.random.default_rng(1)
    for split, count in (("train", 8), ("val", 4)):
        for name, colour in COLOURS.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(np.array(colour) + rng.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root
