"""Heads that were fitted on a frozen trunk after its training: what is known about them, and their weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from ..architecture.spec import HEADS, HeadName
from .evaluation import HeadAccuracy


@dataclass(frozen=True)
class FitSettings:
    """What decided a fit besides trunk and images: epochs, images per step, peak learning rate, seed."""

    epochs: float
    batch: int
    lr: float
    seed: int


@dataclass(frozen=True, eq=False)
class FittedHeads:
    """`checkpoint`: the hash of the weights that the heads belong to; they say nothing on any other trunk.

    `accuracy`: of each head on the `held_out` images; `training`: images that they were fitted on, of `classes` of the
    network's classes. `state`: keyed as in the network's state dict. `source`: on what and with what, in words.
    `sha256`: of the file they lie in, empty before they do. `earlier`: other heads in the same file, as their own fits
    left them, without a hash.
    """

    checkpoint: str
    accuracy: dict[HeadName, HeadAccuracy]
    training: int
    held_out: int
    classes: int
    settings: FitSettings
    source: str
    state: dict[str, Tensor] = field(repr=False)
    sha256: str = ""
    earlier: tuple[FittedHeads, ...] = ()

    @property
    def fits(self) -> tuple[FittedHeads, ...]:
        """What each fit made, the last one first."""
        return (self, *self.earlier)

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """The heads of all fits, in the order of depth."""
        return tuple(head for head in HEADS if any(head in fit.accuracy for fit in self.fits))

    @property
    def words(self) -> str:
        """That they came later, how right they are, and where that comes from."""
        return " ".join(fit._words for fit in self.fits)

    def with_others(self, former: FittedHeads) -> FittedHeads:
        """These heads, and of a former file those that are not among them."""
        kept = []
        for fit in former.fits:
            accuracy = {head: right for head, right in fit.accuracy.items() if head not in self.heads}
            state = {key: value for key, value in fit.state.items() if key.split(".")[0] in accuracy}
            kept += [replace(fit, accuracy=accuracy, state=state, sha256="", earlier=())] if accuracy else []
        return replace(self, earlier=(*self.earlier, *kept))

    @property
    def _words(self) -> str:
        measured = ", ".join(
            f"{head} top-1 {right.top1:.1%}, top-5 {right.top5:.1%}" for head, right in self.accuracy.items()
        )
        made = self.settings
        return (
            f"{' and '.join(self.accuracy)} did not come with these weights: they were fitted here afterwards, while "
            f"the trunk stayed as it is, on {self.training:,} images of {self.classes:,} classes ({self.source}; "
            f"{made.epochs:g} epochs, batch {made.batch}, learning rate {made.lr:g}, seed {made.seed}). On "
            f"{self.held_out:,} held-out images: {measured}."
        )
