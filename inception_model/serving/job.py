"""One piece of work on its way through a service's queue: who waits for it, how far it is, and how it stops."""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ..inference.classifier import Classifier
from ..progress import Cancelled

POLL_SECONDS = 0.02
"""How often whoever waits looks whether to go on waiting."""


@dataclass(eq=False)
class Job:
    """`work` takes a twin and this job, of which it uses `report` and `given_up`; `must_pause`: whether to rest now.

    `waiting`: how many callers wait for it; when the last one leaves, it is given up. `until`: after this moment
    (monotonic) it no longer begins.
    """

    work: Callable[[Classifier, Job], Any]
    low_priority: bool = False
    must_pause: Callable[[Job], bool] = lambda job: False
    waiting: int = 1
    finished: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)
    steps: tuple[int, int] | None = None
    value: Any = None
    error: BaseException | None = None
    until: float = math.inf

    @property
    def open(self) -> bool:
        """Whether somebody else may still join those who wait."""
        return not self.finished.is_set() and not self.given_up.is_set()

    def report(self, done: int, total: int) -> None:
        """The work's progress; raises Cancelled when nobody waits for it any more."""
        self.check()
        self.steps = (done, total)

    def check(self) -> None:
        """Pauses as long as it must; raises Cancelled when nobody waits for it any more."""
        while self.must_pause(self) and not self.given_up.is_set():
            self.given_up.wait(POLL_SECONDS)
        if self.given_up.is_set():
            raise Cancelled("nobody waits for this result any more")


class _Here(threading.local):
    """The job that this thread works on."""

    job: Job | None = None


_here = _Here()
_installed = threading.Lock()


@contextlib.contextmanager
def stops_when_given_up(job: Job) -> Iterator[None]:
    """Makes any pass through any module on this thread raise Cancelled once the job is given up, forward and backward.

    Methods work on twins and changed copies of the network that they are given, so the hooks are torch's for all
    modules. They are installed once for the whole process, and do nothing on other threads.
    """
    if _installed.acquire(blocking=False):
        register_module_forward_pre_hook(_stop)
        register_module_forward_hook(_stop_on_the_way_back)
    _here.job = job
    try:
        yield
    finally:
        _here.job = None


def _stop(_: nn.Module, __: Any) -> None:
    if _here.job is not None:
        _here.job.check()


def _stop_on_the_way_back(_: nn.Module, __: Any, output: Any) -> None:
    # A hook of the tensor, not of the module: those of modules would change the graph that methods hook themselves.
    if (job := _here.job) is not None and isinstance(output, Tensor) and output.requires_grad:
        # The hook lies in torch's graph, where the garbage collector does not look: were it to hold the job, and the
        # job an error whose frames hold the graph, neither would ever go.
        known = weakref.ref(job)
        output.register_hook(lambda _: _check(known))  # type: ignore[no-untyped-call]


def _check(known: weakref.ref[Job]) -> None:
    if (job := known()) is not None:
        job.check()
