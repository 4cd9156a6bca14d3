"""Localisation marks beside Quantus's on the same maps, boxes and mosaics: how far they differ, and where by design.

Quantus is no requirement of the project: `pip install -r requirements-bench.txt` brings it.
    python scripts/quantus_check.py

With Quantus 0.6.0: mass accuracy, Focus (14 and 448 pixels) and pointing without tolerance are equal within 1e-7; rank
accuracy is equal wherever a map has at least as many positive pixels as the box (97 of 100) and up to 0.062 apart
elsewhere, because Quantus orders equal values by their place. Quantus's Focus cuts an odd map at half its side rounded
down, so that a cell on the seam counts for one side alone (1.0; here 0.25 to each quadrant).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import quantus
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from inception_model.images.geometry import Box
from inception_model.trust.localization import BoxJudge, hit_share, pixels_inside
from inception_model.trust.mosaic import QuadrantJudge

MAPS, SIDE = 100, 224
LAYOUTS = ((0,), (3,), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
QUIET = {"disable_warnings": True, "display_progressbar": False, "abs": False, "normalise": False}


def main() -> None:
    """Prints the largest relative difference of each mark over all maps, and what coarse and empty maps get."""
    warnings.simplefilter("ignore")
    random = np.random.default_rng(0)
    # Few values are large and about half are negative, as in real maps.
    maps = random.standard_normal((MAPS, SIDE, SIDE)).astype(np.float32) ** 3
    corners = np.sort(random.integers(0, SIDE, (MAPS, 2, 2)), axis=1)
    boxes = [Box(*map(float, (*low, *(high + 1)))) for low, high in corners]
    masks = np.stack([pixels_inside(box, SIDE).numpy() for box in boxes])[:, None]
    ours = np.array([BoxJudge(b, SIDE).of(torch.from_numpy(m)) for m, b in zip(maps, boxes, strict=True)], dtype=float)
    positive = maps.clip(min=0)[:, None]
    compare("energy / RelevanceMassAccuracy", ours[:, 1], asked(quantus.RelevanceMassAccuracy, positive, masks))
    ranks = np.array(asked(quantus.RelevanceRankAccuracy, positive, masks))
    # Quantus gives places among equal values by numpy's unstable sort, here by chance alike: only zeros are equal.
    clear = masks.sum((1, 2, 3)) <= (positive > 0).sum((1, 2, 3))
    compare("rank / RelevanceRankAccuracy, enough positive pixels", ours[clear, 2], ranks[clear])
    compare("rank / RelevanceRankAccuracy, boxes larger than all positive pixels", ours[~clear, 2], ranks[~clear])
    pointing = np.asarray(asked(quantus.PointingGame, maps[:, None], masks), dtype=float)
    strict = [hit_share(torch.from_numpy(m), SIDE, b, 0) for m, b in zip(maps, boxes, strict=True)]
    compare("pointing without tolerance / PointingGame", strict, pointing)
    for side in (14, 448):
        mosaics = random.standard_normal((MAPS, side, side)).astype(np.float32) ** 3
        places = [LAYOUTS[number % len(LAYOUTS)] for number in range(MAPS)]
        focus = [QuadrantJudge(p).focus(torch.from_numpy(m)) for p, m in zip(places, mosaics, strict=True)]
        told = [tuple(int(place in p) for place in range(4)) for p in places]
        found = asked(quantus.Focus, mosaics[:, None], None, custom_batch=told)
        compare(f"Focus of maps of {side} x {side}", focus, found)
    odd = np.zeros((1, 1, 7, 7), dtype=np.float32)
    odd[0, 0, 3, 3] = 1.0
    print(
        f"a cell on the seam (7 x 7), one quadrant: ours {QuadrantJudge((3,)).focus(torch.from_numpy(odd[0, 0]))}, "
        f"Quantus {asked(quantus.Focus, odd, None, custom_batch=[(0, 0, 0, 1)])[0]}"
    )


def asked(metric: type, maps: np.ndarray, masks: np.ndarray | None, **more: object) -> list[float]:
    """Quantus's values for maps (N, 1, S, S); the network is never asked when the maps are given."""
    labels = np.zeros(len(maps), dtype=int)
    images = np.zeros((len(maps), 3, *maps.shape[2:]), dtype=np.float32)
    values = metric(**QUIET)(
        model=torch.nn.Identity(),
        x_batch=images,
        y_batch=labels,
        a_batch=maps,
        s_batch=masks,
        channel_first=True,
        **more,
    )
    return [float(value) for value in np.ravel(values)]


def compare(name: str, ours: object, theirs: object) -> None:
    """Prints the relative norm of the difference and the largest single one."""
    one, other = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    apart = np.linalg.norm(one - other) / np.linalg.norm(other)
    print(f"{name}: {len(one)} maps, relative norm {apart:.2g}, largest difference {np.abs(one - other).max():.2g}")


if __name__ == "__main__":
    main()
