"""One piece of work on its way through a service's queue: how far it is, what came of it, and how it stops."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ..inference.classifier import Classifier
from ..progress import Cancelled, Progress

POLL_SECONDS = 0.02
"""How often whoever waits looks whether to go on waiting."""


@dataclass(eq=False)
class Job:
    """`work` takes a twin and `report`; `waits` says whether it must pause now."""

    work: Callable[[Classifier, Progress], Any]
    waits: Callable[[], bool]
    low_priority: bool = False
    finished: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)
    steps: tuple[int, int] | None = None
    value: Any = None
    error: BaseException | None = None

    def report(self, done: int, total: int) -> None:
        """The work's progress; raises Cancelled when nobody waits for it any more."""
        self.check()
        self.steps = (done, total)

    def check(self) -> None:
        """Pauses as long as it must; raises Cancelled when nobody waits for it any more."""
        while self.waits() and not self.given_up.is_set():
            self.given_up.wait(POLL_SECONDS)
        if self.given_up.is_set():
            raise Cancelled("nobody waits for this result any more")


@contextlib.contextmanager
def stops_when_given_up(network: nn.Module, job: Job) -> Iterator[None]:
    """Makes any forward pass of the network's parts raise Cancelled once the job is given up."""

    def stop(_: nn.Module, __: Any) -> None:
        job.check()

    handles = [module.register_forward_pre_hook(stop) for module in (network, *network.children())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
