"""The memory that all visitors share: what is remembered of networks' answers, and the photos that were uploaded.

Both are bounded in bytes, for the whole process and, photos, for each visitor as well; the operator may say how many.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

from app.state import operator
from inception_model.images.decode import Photo
from inception_model.serving.cache import LRUCache

ANSWERS = LRUCache(operator.answer_bytes())
"""Looks, maps and pictures; what was asked for longest ago is forgotten, and computed again when it is wanted."""
PHOTOS = LRUCache(operator.photo_bytes())
"""Photos of all visitors; the one looked at longest ago gives way, and whose it was is told."""


@dataclass(eq=False)
class Held:
    """A visitor's photo in their filmstrip: what is known of it for good, and the place of its pixels on the shelf."""

    sha256: str
    name: str
    place: object = field(default_factory=object)

    @property
    def photo(self) -> Photo | None:
        """The photo; None where it had to give way."""
        found: Photo | None = PHOTOS.peek(self.place)
        return found

    def touch(self) -> None:
        """It is looked at now."""
        PHOTOS.touch(self.place)


def hold(photo: Photo) -> Held:
    """Puts a photo on the shelf, where it stays as long as its `Held` is kept, or until others need the room."""
    held = Held(photo.sha256, photo.name)
    PHOTOS.put(held.place, photo)
    # With the session goes the last reference to it.
    weakref.finalize(held, PHOTOS.drop_soon, held.place).atexit = False
    return held
