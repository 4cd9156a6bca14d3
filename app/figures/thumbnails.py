"""Every module's strongest channel as a tiny picture, to ride on the network map."""

from __future__ import annotations

from dataclasses import dataclass

from inception_model.architecture.spec import BranchKind
from inception_model.drawing.atlas import make_atlas
from inception_model.drawing.encoding import data_url
from inception_model.inference.trace import Trace


@dataclass(frozen=True)
class Thumbnail:
    """A module's strongest channel by mean activation: its branch, its place in it, its map as a PNG address."""

    branch: BranchKind
    channel: int
    mean: float
    peak: float
    source: str


def thumbnails(trace: Trace) -> dict[str, Thumbnail]:
    """Module -> its strongest channel on the first image, drawn on magma from zero to its own maximum."""
    found = {}
    for name, block in trace.blocks.items():
        means = block.output[0].mean(dim=(1, 2))
        place = int(means.argmax())
        branch = next(b for b in block.branches.values() if place < b.channels.stop)
        values = block.output[0, place].numpy()
        found[name] = Thumbnail(
            branch.kind,
            place - branch.channels.start,
            float(means[place]),
            float(values.max()),
            data_url(make_atlas(values[None], scale="channel").png),
        )
    return found
