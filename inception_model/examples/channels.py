"""Every channel of every convolution under one number, and where in a photo its positions lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from ..analysis.receptive_field import ReceptiveField, receptive_fields
from ..architecture.spec import BRANCH_UNIT, BRANCHES, NetworkSpec
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from ..visualization.places import Place, all_places


@dataclass(frozen=True)
class Channels:
    """The channels of a network in the order of the image's way: stem, then six convolutions per module, numbered
    through. GoogLeNet has 7,280."""

    spec: NetworkSpec

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The convolutions."""
        return all_places(self.spec)

    @cached_property
    def lanes(self) -> dict[Place, slice]:
        """Where the channels of each convolution lie among all."""
        widths = [place.width(self.spec) for place in self.places]
        return {
            place: slice(end - width, end)
            for place, width, end in zip(self.places, widths, accumulate(widths), strict=True)
        }

    @cached_property
    def fields(self) -> dict[Place, ReceptiveField]:
        """What the positions of each convolution see."""
        known = receptive_fields(self.spec)
        return {p: known[p.unit if p.module is None else f"{p.module}/{p.unit}"] for p in self.places}

    @property
    def total(self) -> int:
        """How many there are."""
        return int(self.lanes[self.places[-1]].stop)

    @property
    def features(self) -> tuple[slice, ...]:
        """The last module's branches in the order of their concatenation: what the main head reads."""
        last = self.spec.module_names[-1]
        return tuple(self.lanes[Place(BRANCH_UNIT[kind], last)] for kind in BRANCHES)

    def number(self, place: Place, channel: int) -> int:
        """The number of a convolution's channel; raises IndexError for one that it does not have."""
        lane = self.lanes[place]
        if not 0 <= channel < lane.stop - lane.start:
            raise IndexError(f"{place} has channels 0 to {lane.stop - lane.start - 1}; there is no channel {channel}")
        return int(lane.start) + channel

    def spot(
        self, place: Place, row: int, column: int, preprocessing: Preprocessing, size: tuple[int, int],
        square: Box | None = None,
    ) -> tuple[float, float]:  # fmt: skip
        """The centre of a position, in pixels of a photo of that (width, height)."""
        field = self.fields[place]
        return preprocessing.to_photo(size, field.centre(column) + 0.5, field.centre(row) + 0.5, square)

    def box(
        self, place: Place, row: int, column: int, preprocessing: Preprocessing, size: tuple[int, int],
        square: Box | None = None,
    ) -> Box:  # fmt: skip
        """What a position sees, in pixels of a photo of that (width, height), `square` as preprocessing takes it."""
        seen = self.fields[place].box(row, column, preprocessing.size)
        return preprocessing.box_to_photo(size, seen, square)


@lru_cache(maxsize=8)
def channels_of(spec: NetworkSpec) -> Channels:
    """The channels of a network, worked out once."""
    return Channels(spec)
