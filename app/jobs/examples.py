"""The strongest parts of photos for a channel: of those at hand, and of an indexed data set where there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.jobs.channels import source_of, stats_of
from app.state import examples, network, photos, shelf
from app.state.panel import Panel
from app.state.selection import Unit
from inception_model.architecture.spec import BRANCH_UNIT
from inception_model.drawing.crops import crop_of
from inception_model.drawing.encoding import data_url, jpeg_bytes
from inception_model.drawing.numbers import number, short
from inception_model.examples.channels import channels_of
from inception_model.examples.index import Example, Index
from inception_model.examples.observing import Strengths
from inception_model.examples.peaks import peak_at, peaks_of
from inception_model.examples.shards import Kind
from inception_model.images.decode import Photo
from inception_model.images.samples import sample_photos
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture
from inception_model.visualization.places import Place

MOST = 8
"""Crops in a row."""


@dataclass(frozen=True)
class Crop:
    """A part of a photo: its picture as an address, whose it is, and how strong the channel is there, in words."""

    src: str
    name: str
    value: str


def place_of(unit: Unit) -> tuple[Place, int] | None:
    """The convolution, and its channel, that computes this one; None for what the stem or a pool computes."""
    source = source_of(unit)
    if source is None:
        return None
    module, node, channel = source
    names: dict[str, str] = {str(kind): name for kind, name in BRANCH_UNIT.items()}
    return Place(names.get(node, node), module), channel


def at_hand() -> list[Photo]:
    """This session's own photos, then the shipped samples; each once, aimed as it is shown."""
    found = {photo.sha256: photos.aimed(photo) for photo in (*photos.uploads(), *sample_photos())}
    return list(found.values())


def peaks(photo: Photo) -> Strengths:
    """Every channel's peak on a photo: from its look where that is known, else by a forward pass of its own; the page
    waits. Raises BusyError where there is no place to run."""
    known = network.service().known_look(photo.key)

    def look(twin: Classifier) -> Strengths:
        trace = capture(twin, twin.prepare(photo.image, photo.square)) if known is None else known.trace
        return peaks_of(twin.network.spec, trace)

    return Panel(photo).ask("peaks", look)


def strongest_at_hand(unit: Unit, known: Sequence[tuple[Photo, Strengths]]) -> list[Crop]:
    """The photos in which the channel is strongest, by what it sees at its peak; without those it does not answer."""
    found = place_of(unit)
    if found is None:
        return []
    place, channel = found
    spec, preprocessing = network.spec(), network.checkpoint().preprocessing
    peaks = [(peak_at(strengths, spec, place, channel), photo) for photo, strengths in known]
    crops = []
    for (value, row, column), photo in sorted(peaks, key=lambda each: -each[0][0])[:MOST]:
        if value <= 0:
            break
        where = place, row, column, preprocessing, photo.size, photo.square
        channels = channels_of(spec)
        source = _drawn(photo, Example(0, value, row, column, channels.box(*where), channels.spot(*where)))
        crops.append(Crop(source, photo.name, number(value)))
    return crops


def strongest_of(found: Index, unit: Unit, kind: Kind) -> tuple[list[Crop], Mapping[str, int]]:
    """The strongest images of an index: their crops where its data are there, and how many are of each class."""
    where = place_of(unit)
    if where is None:
        return [], {}
    crops: list[Crop] = []
    strongest = found.examples(kind, *where)
    names = _classes(found, strongest)
    for example, name in zip(strongest, names, strict=True):
        photo = examples.photo_of(found, example.image) if len(crops) < MOST else None
        if photo is not None:
            crops.append(Crop(_drawn(photo, example), name, number(example.value)))
    return crops, Counter(names)


def classes_of(found: Index, unit: Unit, kind: Kind) -> Mapping[str, int] | None:
    """How many of the strongest images are of each class, that of the strongest image first; None where no convolution
    computes the channel."""
    where = place_of(unit)
    return None if where is None else Counter(_classes(found, found.examples(kind, *where)))


def _classes(found: Index, strongest: Sequence[Example]) -> list[str]:
    return [short(network.label(int(found.labels[example.image]))) for example in strongest]


def whole(found: Index, image: int) -> Crop | None:
    """An image of an index as the network saw it; None where its data are not there."""
    photo = examples.photo_of(found, image)
    if photo is None:
        return None
    view = network.checkpoint().preprocessing.view(photo.size)
    centre = (view.left + view.right) / 2, (view.top + view.bottom) / 2
    name = short(network.label(int(found.labels[image])))
    return Crop(_drawn(photo, Example(image, 0.0, 0, 0, view, centre)), name, "")


def among(found: Index, panel: Panel, unit: Unit) -> str:
    """How strong the channel's peak on a photo is among the images of an index, in words; empty where none has it."""
    where = place_of(unit)
    if where is None:
        return ""
    peak = float(stats_of(panel, unit.module, unit.node).max[unit.channel])
    images = f"{found.used:,} images ({found.source})"
    if peak <= 0:
        silent = float(found.silent[found.channels.number(*where)])
        return f"silent, as on {silent:.1%} of {images}"
    share = found.share_below(*where, peak)
    if share >= 1:
        return f"stronger than on all {images}"
    # Rounded down: 99.97% of 10,000 images are not 100%.
    return f"stronger than on {int(share * 1000) / 10:.1f}% of {images}"


def _drawn(photo: Photo, example: Example) -> str:
    """The crop as an address, made once."""

    def draw() -> str:
        return data_url(jpeg_bytes(crop_of(photo.image, example.box, example.spot), quality=85), "image/jpeg")

    return shelf.ANSWERS.get(("crop", photo.sha256, example.box, example.spot), draw)
