"""One photo's part of a page: what every function that draws or asks about a photo is given.

Answers are shared by all sessions of the process, keyed by the photo's hash and square and by the network (checkpoint
hash, device, precision), so nothing is computed twice and nobody sees another's photo without having the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.state import network, photos, turn
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import Trace
from inception_model.serving.service import ForwardResult

T = TypeVar("T")


@dataclass(frozen=True)
class Panel:
    """A photo and the half of the page that is about it: `key` is empty for the first one, `beside` for the second."""

    photo: Photo
    key: str = ""

    @property
    def first(self) -> bool:
        """Whether it is the chosen photo's: what is said once for both is said there."""
        return not self.key

    def widget_key(self, name: str) -> str:
        """A widget's key or a background slot: of the second photo `beside-name`."""
        return f"{self.key}-{name}" if self.key else name

    def look(self) -> ForwardResult:
        """The photo through the network: its Trace and the seconds it took. Remembered."""
        with turn.awaited() as waiting:
            return network.service().look(self.photo, **waiting)

    def trace(self) -> Trace:
        """Logits of the heads and every branch of every module (a batch of one), raw where raw ones are asked for."""
        trace = self.look().trace
        return trace.raw() if network.raw() else trace

    def remember(self, key: Hashable, compute: Callable[[], T]) -> T:
        """An answer about the photo and the network, computed here and now, once. Start the key with your page's name.

        The photo's key is added here; put everything else that matters into `key`.
        """
        return network.service().remember((self.photo.key, key), compute)

    def ask(self, key: Hashable, work: Callable[[Classifier], T]) -> T:
        """The same of what needs a twin of the network; the page waits, unless its visitor does something else.

        Raises BusyError where there is no place to run.
        """
        with turn.awaited() as waiting:
            return network.service().share((self.photo.key, key), lambda twin, progress, cancel: work(twin), **waiting)

    def recall(self, key: Hashable) -> Any:
        """What `remember` keeps about the photo and the network under this key, or None; nothing is computed."""
        return network.service().recall((self.photo.key, key))


Panels = tuple[Panel, ...]
"""The panel of a page, or its two when photos are compared; the chosen photo's first."""


def panels() -> Panels:
    """One panel, or two where a second photo stands beside the chosen one."""
    second = photos.beside_photo()
    first = Panel(photos.aimed(photos.first_photo()))
    return (first,) if second is None else (first, Panel(photos.aimed(second), "beside"))
