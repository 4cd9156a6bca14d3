"""`Index`: what is asked of a finished index, read from its folder or from the small file beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..architecture.spec import HeadName, NetworkSpec
from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import Checkpoint
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from ..visualization.places import Place
from .building import SHARES
from .channels import Channels, channels_of
from .folder import IndexFolder, IndexFolderError
from .mapping import ImageMap, read_map
from .observing import Floats
from .sample import Sample, outputs
from .shards import KINDS, Kind, read_strongest
from .strongest import NOBODY, Strongest


@dataclass(frozen=True)
class Example:
    """One of a channel's strongest images: its number, the value there, the position on the channel's map, and, in
    pixels of the photo, the box that the position sees and its centre."""

    image: int
    value: float
    row: int
    column: int
    box: Box
    spot: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Index:
    """What the channels of one checkpoint (its file's `sha256`) answer in one list of images.

    `data`: the list's hash, `source`: where it came from, `split` and `limit`: how to open it again; `used`: images
    that were decoded. `quantiles` (U, SHARES): of the images' peaks; `means` (U,): of all activations; `silent` (U,):
    the share of images that a channel does not answer at all. `labels`, `sizes` (n, 2), `answers` and `probabilities`
    (n,) by trained head: of every image, 0 and -1 where it was broken. `sample`: what some images say to every
    module's channels; None in an index that was made before there was one.
    """

    sha256: str
    spec: NetworkSpec = field(repr=False)
    preprocessing: Preprocessing = field(repr=False)
    data: str
    source: str
    split: str
    limit: int | None
    used: int
    quantiles: Floats = field(repr=False)
    means: Floats = field(repr=False)
    silent: Floats = field(repr=False)
    strongest: Mapping[Kind, Strongest] = field(repr=False)
    labels: NDArray[np.int32] = field(repr=False)
    sizes: NDArray[np.int32] = field(repr=False)
    answers: Mapping[HeadName, NDArray[np.int32]] = field(repr=False)
    probabilities: Mapping[HeadName, Floats] = field(repr=False)
    map: ImageMap | None = field(default=None, repr=False)
    sample: Sample | None = field(default=None, repr=False)

    @property
    def channels(self) -> Channels:
        """The numbers of the channels."""
        return channels_of(self.spec)

    def share_below(self, place: Place, channel: int, value: float) -> float:
        """The share of images whose peak of the channel is below a value, interpolated between the quantiles."""
        quantiles = self.quantiles[self.channels.number(place, channel)]
        at = int(np.searchsorted(quantiles, value, side="left"))
        if at == 0:
            return 0.0
        if at == len(quantiles):
            return 1.0
        low, high = float(quantiles[at - 1]), float(quantiles[at])
        return float(SHARES[at - 1] + (value - low) / (high - low) * (SHARES[at] - SHARES[at - 1]))

    def examples(self, kind: Kind, place: Place, channel: int) -> list[Example]:
        """The strongest images of a channel, strongest first; fewer than are kept where fewer answer."""
        number, found = self.channels.number(place, channel), self.strongest[kind]
        made = []
        for rank, image in enumerate(found.images[:, number].tolist()):
            if image == NOBODY:
                break
            row, column = int(found.rows[rank, number]), int(found.columns[rank, number])
            size = int(self.sizes[image, 0]), int(self.sizes[image, 1])
            where = place, row, column, self.preprocessing, size
            value = float(found.values[rank, number])
            made.append(Example(image, value, row, column, self.channels.box(*where), self.channels.spot(*where)))
        return made


def load_index(path: Path, checkpoint: Checkpoint) -> Index:
    """A finished index of this checkpoint; raises IndexFolderError, or CheckpointError where it is of another."""
    folder = IndexFolder(path)
    manifest = folder.manifest()
    require_made_for(checkpoint, manifest.checkpoint, f"the index in {path.name} is about", "build one for it")
    summary = folder.summary()
    if summary is None:
        raise IndexFolderError(f"{path.name} is not finished: run the command that began it again, and it goes on")
    channels = channels_of(checkpoint.spec)
    table, rows = folder.read_table("channels"), folder.read_table("examples")
    quantiles = table.column("quantiles").combine_chunks().flatten().to_numpy()
    if len(table) != channels.total or len(quantiles) != channels.total * len(SHARES):
        raise IndexFolderError(
            f"{path.name} is about {len(table):,} channels, and {checkpoint.name} has {channels.total:,}: build another"
        )
    kinds = np.asarray([KINDS.index(kind) for kind in rows.column("kind").to_pylist()], dtype=np.int8)
    rows = rows.set_column(0, "kind", [kinds])
    there = folder.columns("images")
    heads = [head for head in checkpoint.spec.heads if f"{head}_classes" in there]
    told = ["label", "width", "height", *(f"{h}_{what}" for h in heads for what in ("classes", "probabilities"))]
    images = folder.read_table("images", told)
    numbers = {name: images.column(name).fill_null(0).to_numpy().astype(np.int32) for name in told[:3]}
    first = {
        name: np.asarray([-1 if row is None else row[0] for row in images.column(name).to_pylist()])
        for name in told[3:]
    }
    return Index(
        checkpoint.sha256,
        checkpoint.spec,
        checkpoint.preprocessing,
        manifest.data,
        manifest.source,
        manifest.settings["split"],
        manifest.settings["limit"],
        summary.used,
        quantiles.reshape(channels.total, len(SHARES)),
        table.column("mean").to_numpy(),
        table.column("silent").to_numpy(),
        {kind: read_strongest(rows, kind, channels.total) for kind in KINDS},
        numbers["label"],
        np.stack([numbers["width"], numbers["height"]], axis=1),
        {head: first[f"{head}_classes"].astype(np.int32) for head in heads},
        {head: first[f"{head}_probabilities"].astype(np.float32) for head in heads},
        read_map(folder, summary),
        _read_sample(folder, checkpoint.spec),
    )


def _read_sample(folder: IndexFolder, spec: NetworkSpec) -> Sample | None:
    if not folder.has_table("sample"):
        return None
    table, width = folder.read_table("sample"), sum(map(len, outputs(spec).values()))
    peaks = table.column("peaks").combine_chunks().flatten().to_numpy()
    if len(peaks) != len(table) * width:
        raise IndexFolderError(f"the sample in {folder.folder.name} is of other channels: build another index")
    return Sample(spec, table.column("image").to_numpy(), peaks.reshape(-1, width))
