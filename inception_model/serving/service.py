"""What many sessions share: one network, remembered answers, and a bounded queue of weight-sharing twins.

Reading activations (`look`) is safe on the shared network. Whatever hooks, ablates or differentiates runs through
`run`, which lends one twin at a time to one piece of work. Answers leave as plain data. Work runs on threads of the
service (workers), which never wait for one another: what it needs from the service is asked for before it starts.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from ..images.decode import Photo
from ..inference.classifier import Classifier
from ..inference.trace import Trace, capture
from ..progress import Cancelled, Progress
from .cache import LRUCache
from .estimates import Estimates
from .job import POLL_SECONDS, Job, stops_when_given_up

T = TypeVar("T")
_GOODBYE_SECONDS = 5.0
_services: weakref.WeakSet[InferenceService] = weakref.WeakSet()


class BusyError(RuntimeError):
    """Every place in the queue is taken; the message says how many there are."""


@dataclass(frozen=True)
class ForwardResult:
    """One photo seen by one network: its Trace (one image), the photo's hash, and the seconds it took
    (preprocessing, forward pass and copying out)."""

    trace: Trace
    sha256: str
    seconds: float


class _Worker(threading.Thread):
    """A thread that work runs on."""


class InferenceService:
    """One classifier for many threads: `look` on the shared network, `run` on a twin of its own.

    At most `twins` pieces of work run at a time and `queue` more wait; the next one raises BusyError. Low-priority work
    has places and workers of its own (one fewer, at least one) and pauses while other work runs or waits.
    """

    def __init__(self, classifier: Classifier, *, twins: int = 2, queue: int = 16, looks: int = 12) -> None:
        if twins < 1 or queue < 1:
            raise ValueError(f"a service needs at least one twin and one place to wait; got {twins} and {queue}")
        self.classifier = classifier
        self._pattern = classifier.twin()  # what workers' twins are copied from: nobody ever hooks or runs it
        self._twins, self._places = twins, queue
        self._waiting = {low_priority: deque[Job]() for low_priority in (False, True)}
        self._changed = threading.Condition()
        self._closed = False
        self._running = set[Job]()
        self._urgent = 0
        self._looks, self._answers = LRUCache(looks), LRUCache(256)
        self._pass_seconds: float | None = None
        self.estimates = Estimates(self.pass_seconds)
        kinds = [False] * twins + [True] * max(1, twins - 1)
        self._workers = [
            _Worker(target=self._serve, args=(low_priority,), daemon=True, name=f"twin-{i}")
            for i, low_priority in enumerate(kinds)
        ]
        for worker in self._workers:
            worker.start()
        _services.add(self)

    @property
    def load(self) -> tuple[int, int]:
        """(pieces of work that run, pieces that wait) at this moment."""
        with self._changed:
            return len(self._running), sum(map(len, self._waiting.values()))

    def warm(self) -> None:
        """One forward pass of a grey image, so that the first photo does not pay for torch's own start."""
        from PIL import Image

        capture(self.classifier, self.classifier.prepare(Image.new("RGB", (256, 256), (128, 128, 128))))

    def pass_seconds(self) -> float:
        """Seconds of one image's forward pass here: the best of a few, measured once, when somebody first asks."""
        if self._pass_seconds is None:
            side = self.classifier.preprocessing.size
            image, found = torch.zeros(1, 3, side, side), []
            for _ in range(4):
                started = time.perf_counter()
                self.classifier.heads_of(image)
                found.append(time.perf_counter() - started)
            self._pass_seconds = min(found)
        return self._pass_seconds

    def look(self, photo: Photo) -> ForwardResult:
        """The photo through the shared network; remembered by the photo's hash."""

        def compute() -> ForwardResult:
            started = time.perf_counter()
            with self._first():
                trace = capture(self.classifier, self.classifier.prepare(photo.image))
            return ForwardResult(trace, photo.sha256, time.perf_counter() - started)

        return self._looks.get(photo.sha256, compute)

    def known_look(self, sha256: str) -> ForwardResult | None:
        """The look at the photo with this hash if it is still remembered; nothing is computed, nobody waits."""
        found: ForwardResult | None = self._looks.peek(sha256)
        return found

    def remember(self, key: Hashable, compute: Callable[[], T]) -> T:
        """An answer about this network by a key of your own (start it with your page's name); the last 256 are kept.

        Raises RuntimeError on a worker: it could wait for ever for a thread that waits for a worker.
        """
        _refuse_workers("remember")
        return self._answers.get(key, compute)

    def recall(self, key: Hashable) -> Any:
        """What `remember` keeps under this key, or None: nothing is computed, nobody waits."""
        return self._answers.peek(key)

    def run(
        self,
        work: Callable[..., T],
        *args: Any,
        timeout: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
        low_priority: bool = False,
        **options: Any,
    ) -> T:
        """`work(twin, *args, **options)` on a twin that nobody else uses meanwhile; returns what it returns.

        With `progress`, the work also gets `progress=` and whatever it reports is passed on in the caller's thread.
        Raises BusyError when the queue is full, TimeoutError after `timeout` seconds, Cancelled once `cancel` is
        set; in the last two cases the work stops at the next module of its twin that it runs or the next step that it
        reports, and a waiting one never starts. With `low_priority` it pauses there while other work runs or waits: two
        that share the cores would both take several times as long. Raises RuntimeError on a worker, as `remember`.
        """
        _refuse_workers("run")

        def call(twin: Classifier, report: Progress) -> T:
            return work(twin, *args, **options, **({} if progress is None else {"progress": report}))

        job = Job(call, lambda: low_priority and self._others_first, low_priority)
        self._enqueue(job)
        try:
            self._wait(job, timeout, cancel, progress)
        finally:
            # Also when the caller's thread is interrupted, as Streamlit does on a rerun.
            if not job.finished.is_set():
                self._give_up(job)
        if job.error is not None:
            raise job.error
        return job.value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the workers; work that waits raises Cancelled in its caller."""
        with self._changed:
            self._closed = True
            for waiting in self._waiting.values():
                for job in waiting:
                    job.error = Cancelled("the service was closed")
                    job.finished.set()
                waiting.clear()
            self._changed.notify_all()

    def shutdown(self) -> None:
        """`close`, and what runs stops at the next module: returns once no worker is inside torch any more."""
        self.close()
        with self._changed:
            for job in self._running:
                job.given_up.set()
        for worker in self._workers:
            worker.join(_GOODBYE_SECONDS)

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                raise Cancelled("this service is closed")
            if len(self._waiting[job.low_priority]) >= self._places:
                raise BusyError(
                    f"{self._twins} calculations run and all {self._places} places in the queue are taken: "
                    "try again in a moment."
                )
            self._waiting[job.low_priority].append(job)
            self._changed.notify_all()

    def _wait(self, job: Job, timeout: float | None, cancel: threading.Event | None, progress: Progress | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        told: tuple[int, int] | None = None
        watched = cancel is not None or progress is not None or deadline is not None
        while not job.finished.wait(POLL_SECONDS if watched else None):
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"not done after {timeout:g} s: the machine is busy, or the work is too large")
            if progress is not None and job.steps is not None and job.steps != told:
                told = job.steps
                progress(*told)

    def _give_up(self, job: Job) -> None:
        job.given_up.set()
        with self._changed, contextlib.suppress(ValueError):
            self._waiting[job.low_priority].remove(job)
            self._changed.notify_all()

    @property
    def _others_first(self) -> bool:
        """Whether low-priority work has to wait."""
        return self._urgent > 0 or bool(self._waiting[False])

    @contextlib.contextmanager
    def _first(self) -> Iterator[None]:
        """Low-priority work pauses meanwhile."""
        with self._changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                self._changed.notify_all()

    def _next(self, low_priority: bool) -> Job | None:
        """Waits for a piece of work for a worker of this kind; None once the service is closed."""
        with self._changed:
            waiting = self._waiting[low_priority]
            self._changed.wait_for(lambda: self._closed or (waiting and not (low_priority and self._others_first)))
            if self._closed:
                return None
            job = waiting.popleft()
            self._running.add(job)
            self._urgent += not low_priority
            return job

    def _serve(self, low_priority: bool) -> None:
        twin: Classifier | None = None
        while (job := self._next(low_priority)) is not None:
            try:
                twin = twin or self._pattern.twin()
                with stops_when_given_up(twin.network, job):
                    job.value = job.work(twin, job.report)
            except BaseException as error:  # handed to the caller, who raises it
                job.error = error
            finally:
                if twin is not None and (job.error is not None or hook_count(twin.network)):
                    twin = None  # whatever the work left on its twin goes away with it
                with self._changed:
                    self._running.discard(job)
                    self._urgent -= not low_priority
                    self._changed.notify_all()
                job.finished.set()


def _refuse_workers(what: str) -> None:
    if isinstance(threading.current_thread(), _Worker):
        raise RuntimeError(
            f"{what} was called by work that already runs on a worker, which may not wait for others: ask before the "
            "work starts and hand the answer over"
        )


@atexit.register
def _shutdown_all() -> None:
    """A thread that is still inside torch when the interpreter goes would take the process down with an abort."""
    for service in list(_services):
        service.shutdown()


def hook_count(network: nn.Module) -> int:
    """How many forward and backward hooks sit on a network and all its parts."""
    return sum(
        len(module._forward_hooks)
        + len(module._forward_pre_hooks)
        + len(module._backward_hooks)
        + len(module._backward_pre_hooks)
        for module in network.modules()
    )
