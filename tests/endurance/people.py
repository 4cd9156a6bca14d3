"""What visitors do: photos that nobody else has, and whether what they were told is about their own."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from inception_model.architecture.spec import HeadName
from inception_model.checkpoints.store import load
from inception_model.images.decode import read_photo
from inception_model.images.samples import available_samples, sample_photo
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import capture
from tests.endurance.visitor import Card, Visitor

WIDTH, HEIGHT = 288, 224
PRINTED = 0.011
"""The pages print two decimals, and two passes through one network differ by less than one of them."""


@dataclass(frozen=True)
class Told:
    """What a visitor was told about the photo of that number, and the seconds from the drop to the answers."""

    number: int
    cards: dict[str, Card]
    score: str | None
    seconds: float


def photo(number: int) -> bytes:
    """A part of a sample photo, other in each number, as a file; odd numbers are decoded in a process of its own."""
    random = np.random.default_rng(number)
    names = [sample.name for sample in available_samples()]
    image = sample_photo(names[number % len(names)]).image
    side = float(random.uniform(0.5, 0.95))
    left, top = (random.uniform(0, 1 - side) * length for length in image.size)
    box = (left, top, left + side * image.width, top + side * image.height)
    part = image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box)
    buffer = io.BytesIO()
    part.save(buffer, "JPEG", quality=90, progressive=number % 2 == 1)
    return buffer.getvalue()


def look(visitor: Visitor, number: int, *, explained: bool) -> Told:
    """Drops the photo on the page Look, and asks for a map of it on the page Why."""
    data = photo(number)
    visitor.open()
    started = time.perf_counter()
    visitor.upload(f"{number}.jpg", data)
    cards = visitor.cards()
    seconds = time.perf_counter() - started
    return Told(number, cards, visitor.explain() if explained else None, seconds)


@cache
def _classifier() -> Classifier:
    return build(load("tiny-imagenet"), "cpu")


def wrong(told: Told) -> str:
    """What is not about that very photo, in words, by the library in this process; empty where all is."""
    classifier = _classifier()
    trace = capture(classifier, classifier.prepare(read_photo(photo(told.number)).image))
    places = {label.wnid: label.index for label in classifier.checkpoint.labels}
    if list(told.cards) != list(classifier.trained_heads):
        return f"photo {told.number}: heads {list(told.cards)}"
    for head, card in told.cards.items():
        logits = trace.logits(_head(classifier, head))[0]
        best = sorted(logits.topk(len(card)).values.tolist(), reverse=True)
        for (wnid, said), right in zip(card, best, strict=True):
            if abs(float(said) - float(logits[places[wnid]])) > PRINTED or abs(float(said) - right) > PRINTED:
                return f"photo {told.number}: {head} says {wnid} {said}, where {right:+.2f} is right"
    right = float(trace.logits("main")[0].max())
    if told.score is not None and abs(float(told.score) - right) > PRINTED:
        return f"photo {told.number}: the map explains {told.score}, where {right:+.2f} is right"
    return ""


def _head(classifier: Classifier, name: str) -> HeadName:
    return next(head for head in classifier.trained_heads if head == name)
