"""A map of an index: one point per image, near where the last module's features are alike.

Principal components by default; UMAP (McInnes et al. 2018) where the extra is installed and asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..extras import how_to_install
from .folder import IndexFolder, IndexFolderError, Summary
from .observing import Floats
from .shards import lists

MAPS = ("pca", "umap")
"""How images are placed."""
DEFAULT_MAP = "pca"
NEIGHBOURS = 5
"""Images between which a new photo is placed where the map has no axes."""
SEED = 0


@dataclass(frozen=True, eq=False)
class ImageMap:
    """Where images lie: `points` (n, 2) of the images with the numbers `images` (n,).

    `features` (n, C): what they are placed by; a small file beside the weights leaves them out. Of principal
    components: `mean` (C,), `axes` (2, C) of unit length, and `explained`, the share of the variance along each.
    """

    method: str
    images: np.ndarray = field(repr=False)
    points: Floats = field(repr=False)
    mean: Floats | None = field(default=None, repr=False)
    axes: Floats | None = field(default=None, repr=False)
    explained: tuple[float, ...] = ()
    features: NDArray[np.float16] | None = field(default=None, repr=False)

    def place(self, features: Floats) -> tuple[float, float]:
        """Where a photo with those features (C,) lies: along the axes, or in the middle (median) of its nearest
        images by cosine."""
        if self.axes is not None and self.mean is not None:
            x, y = self.axes @ (features - self.mean)
            return float(x), float(y)
        x, y = np.median(self.points[self._nearest(features, NEIGHBOURS)], axis=0)
        return float(x), float(y)

    def alike(self, features: Floats, count: int) -> list[int]:
        """The images whose features are most alike (cosine) to those of a photo; nearest on the map without them."""
        if self.features is not None:
            return [int(image) for image in self.images[self._nearest(features, count)]]
        apart = np.linalg.norm(self.points - np.asarray(self.place(features)), axis=1)
        return [int(image) for image in self.images[np.argsort(apart, kind="stable")[:count]]]

    def _nearest(self, features: Floats, count: int) -> NDArray[np.intp]:
        assert self.features is not None
        known = self.features.astype(np.float32)
        cosine = known @ features / np.maximum(np.linalg.norm(known, axis=1), 1e-30)
        return np.argsort(-cosine, kind="stable")[:count]


def principal(features: Floats) -> tuple[Floats, Floats, tuple[float, float]]:
    """Features (n, C) -> mean (C,), the two axes of largest variance (2, C), and their shares of the variance.

    The largest weight of an axis is positive, so that a map never comes out mirrored.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    apart = features - mean
    variances, vectors = np.linalg.eigh(apart.T @ apart)
    axes = vectors[:, [-1, -2]].T
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    total = max(float(variances.sum()), 1e-30)
    first, second = (float(variances[at]) / total for at in (-1, -2))
    return mean.astype(np.float32), axes.astype(np.float32), (first, second)


def place_images(folder: IndexFolder, method: str) -> Summary:
    """Writes the map into a finished index, unless it is there; raises IndexFolderError where UMAP is not installed."""
    if method not in MAPS:
        raise IndexFolderError(f"unknown map {method!r}; allowed: {', '.join(MAPS)}")
    summary = folder.summary()
    if summary is None:
        raise IndexFolderError(f"{folder.folder} is not finished: run the command that began it again")
    if summary.map == method:
        return summary
    table = folder.read_table("images", ["image", "error", "features"])
    features = lists(table.column("features"), np.float32)
    numbers = table.filter(pc.is_null(table.column("error"))).column("image")
    explained: tuple[float, ...] = ()
    if method == "umap":
        points = _umap(features)
    else:
        mean, axes, explained = principal(features)
        points = (features - mean) @ axes.T
        folder.write_table("axes", pa.table({"mean": mean, "first": axes[0], "second": axes[1]}))
    x, y = points.T.astype(np.float32)
    folder.write_table("map", pa.table({"image": numbers, "x": x, "y": y}))
    summary = replace(summary, map=method, explained=list(explained))
    folder.write_summary(summary)
    return summary


def read_map(folder: IndexFolder, summary: Summary) -> ImageMap | None:
    """The map of a finished index; None where it has none."""
    if not summary.map:
        return None
    table = folder.read_table("map")
    points = np.stack([table.column("x").to_numpy(), table.column("y").to_numpy()], axis=1)
    images, explained = table.column("image").to_numpy(), tuple(summary.explained)
    features = lists(folder.read_table("images", ["features"]).column("features"), np.float16)
    if summary.map == "umap":
        return ImageMap(summary.map, images, points, features=features)
    axes = folder.read_table("axes")
    mean, first, second = (axes.column(name).to_numpy() for name in ("mean", "first", "second"))
    return ImageMap(summary.map, images, points, mean, np.stack([first, second]), explained, features)


def _umap(features: Floats) -> Floats:
    try:
        import umap
    except ImportError as error:
        raise IndexFolderError(
            f"--map umap needs umap-learn, which is not installed ({error}): {how_to_install('umap')}, or "
            f"--map {DEFAULT_MAP}; all that was measured is kept"
        ) from None
    if len(features) <= NEIGHBOURS:
        raise IndexFolderError(f"{len(features)} images are too few for UMAP: --map {DEFAULT_MAP} takes any number")
    neighbours = min(15, len(features) - 1)
    placed = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=SEED, n_jobs=1).fit_transform(features)
    return np.asarray(placed, dtype=np.float32)
