"""How well integrated gradients close their sum: twenty real photos that scikit-image and matplotlib ship."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib
import skimage

from inception_model.attribution import explain
from inception_model.checkpoints.store import load
from inception_model.images.decode import open_photo
from inception_model.inference.classifier import build

from .timing import print_machine

STEPS, BASELINE = 50, "black"
TITLE = f"Completeness of integrated gradients, {STEPS} steps from {BASELINE} (main head, its own answer)"
PHOTOS = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png"),
    *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png"),
    *("motorcycle_left.png", "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "grace_hopper.jpg"),
)


def photo_files() -> list[Path]:
    """The photos that are installed here."""
    folders = [Path(skimage.__file__).parent / "data", Path(matplotlib.get_data_path()) / "sample_data"]
    return [folder / name for name in PHOTOS for folder in folders if (folder / name).is_file()]


def main() -> None:
    """Prints every photo's error, then median and worst."""
    print_machine()
    classifier, errors = build(load("tiny-imagenet"), "cpu"), []
    for path in photo_files():
        x = classifier.prepare(open_photo(path).image)
        found = explain(classifier, x, "integrated_gradients", baseline=BASELINE, options={"steps": STEPS})
        assert found.completeness_error is not None
        assert found.baseline_score is not None
        errors.append(found.completeness_error)
        print(f"{path.name:24} {errors[-1]:7.2%} of {found.score - found.baseline_score:+.2f} logits")
    print(
        f"{len(errors)} photos: median {statistics.median(errors):.2%}, worst {max(errors):.2%}, "
        f"{sum(error < 0.01 for error in errors)} below 1%"
    )
