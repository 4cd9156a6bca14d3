"""What many sessions share: one network, remembered answers, and a bounded queue of weight-sharing twins.

Reading activations (`look`) is safe on the shared network; looks that arrive together are one batch. Whatever hooks,
ablates or differentiates runs through `run` or `share`, which lend one twin at a time to one piece of work. Answers
leave as plain data. Work runs on threads of the service (`workers`), which never wait for one another: what it needs
from the service is asked for before it starts.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ..images.decode import Photo
from ..inference.classifier import Classifier
from ..inference.trace import Trace, capture
from ..progress import Progress
from .batches import Batches
from .cache import LRUCache
from .estimates import Estimates
from .job import Job
from .turns import Place
from .waiter import Line, Waiter
from .workers import BusyError, Workers, hook_count, memory_told, refuse_workers

__all__ = ["ANSWER_BYTES", "BusyError", "ForwardResult", "InferenceService", "Place", "Shared", "hook_count"]

T = TypeVar("T")
Shared = Callable[[Classifier, Progress, threading.Event], T]
"""Work that several callers wait for: it reports its progress, and ends when the event is set."""

QUEUE = 128
"""Pieces of work that wait at most, of a class of thirty some four each."""
ANSWER_BYTES = 512 * 2**20
"""What a service remembers of its looks and answers, unless it is given a cache that it shares with others."""
_services: weakref.WeakSet[InferenceService] = weakref.WeakSet()


@dataclass(frozen=True)
class ForwardResult:
    """One photo seen by one network: its Trace (one image), the photo's hash, and the seconds it took
    (preprocessing, waiting for others, forward pass and copying out)."""

    trace: Trace
    sha256: str
    seconds: float


class InferenceService:
    """One classifier for many threads: `look` on the shared network, `run` and `share` on a twin of its own.

    At most `twins` pieces of work run at a time and `queue` more wait, in which each `user` has a turn after the other
    (see `Workers`); the next one raises BusyError. Low-priority work has places and workers of its own (one fewer, at
    least one) and pauses while other work runs or waits. What it remembers lies in `memory`, a cache bounded in bytes.
    `looked` is told the seconds of each look that was computed, `batched` the number of images of each batch.

    Whoever waits may say how (see `Waiter`): `poll` and `progress` are called in the caller's thread again and again
    and may raise, `line` is told the place in the queue while there is one, `cancel` and `timeout` end the wait. What
    has not begun by then never does, and nothing begins that has waited for PATIENCE seconds (TurnMissedError).
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        twins: int = 2,
        queue: int = QUEUE,
        memory: LRUCache | None = None,
        looked: Callable[[float], object] | None = None,
        batched: Callable[[float], object] | None = None,
    ) -> None:
        self.classifier = classifier
        self._workers = Workers(classifier, twins, queue)
        self._passes = Batches(classifier, sizes=batched)
        self._looked = looked
        self._memory = LRUCache(ANSWER_BYTES) if memory is None else memory
        self._group = object()  # in a cache that several services share, its own answers
        self._shared: dict[Hashable, Job] = {}
        self._pass_seconds: float | None = None
        self.estimates = Estimates(self.pass_seconds)
        _services.add(self)

    @property
    def load(self) -> tuple[int, int]:
        """(pieces of work that run, pieces that wait) at this moment."""
        return self._workers.load

    @property
    def looks_waiting(self) -> int:
        """Photos that wait for their forward pass at this moment."""
        return self._passes.waiting

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

    def look(
        self,
        photo: Photo,
        *,
        user: Hashable = None,
        timeout: float | None = None,
        poll: Callable[[], object] | None = None,
        line: Line | None = None,
    ) -> ForwardResult:
        """The photo through the shared network; remembered by the photo's key: its hash and its square."""
        waiter = Waiter(user, timeout=timeout, poll=poll, line=line)

        def compute() -> ForwardResult:
            started = time.perf_counter()
            with self._workers.first(), _memory_told():
                trace = self._passes.trace(lambda: self.classifier.prepare(photo.image, photo.square), waiter)
            seconds = time.perf_counter() - started
            if self._looked is not None:
                self._looked(seconds)
            return ForwardResult(trace, photo.sha256, seconds)

        return self._memory.get(("look", photo.key), compute, self._group, waiter.go_on if waiter.watches else None)

    def known_look(self, key: str) -> ForwardResult | None:
        """The look at the photo with this key if it is still remembered; nothing is computed, nobody waits."""
        found: ForwardResult | None = self._memory.peek(("look", key), self._group)
        return found

    def remember(self, key: Hashable, compute: Callable[[], T]) -> T:
        """An answer about this network by a key of your own (start it with your page's name), computed here and now.

        For what needs no twin and is done at once; else see `share`. Raises RuntimeError on a worker: it could wait for
        ever for a thread that waits for a worker.
        """
        refuse_workers("remember")
        return self._memory.get(("answer", key), compute, self._group)

    def recall(self, key: Hashable) -> Any:
        """What `remember` and `share` keep under this key, or None: nothing is computed, nobody waits."""
        return self._memory.touch(("answer", key), self._group)

    def run(
        self,
        work: Callable[..., T],
        *args: Any,
        user: Hashable = None,
        timeout: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
        poll: Callable[[], object] | None = None,
        line: Line | None = None,
        low_priority: bool = False,
        **options: Any,
    ) -> T:
        """`work(twin, *args, **options)` on a twin that nobody else uses meanwhile; returns what it returns.

        With `progress`, the work also gets `progress=`. Raises BusyError when the queue is full, TimeoutError after
        `timeout` seconds, Cancelled once `cancel` is set; in the last two cases the work stops at the next module of
        its twin that it runs, forward or backward, or the next step that it reports, and a waiting one never starts.
        With `low_priority` it pauses there while other work runs or waits: two that share the cores would both take
        several times as long. Raises RuntimeError on a worker, as `remember`.
        """
        refuse_workers("run")
        waiter = Waiter(user, timeout, cancel, progress, poll, line)

        def call(twin: Classifier, job: Job) -> T:
            return work(twin, *args, **options, **({} if progress is None else {"progress": job.report}))

        job = Job(call, low_priority, self._workers.must_pause, until=waiter.begins_until)
        self._workers.put(job, user)
        return self._result(job, waiter)  # type: ignore[no-any-return]

    def share(
        self,
        key: Hashable,
        work: Shared[T],
        *,
        user: Hashable = None,
        timeout: float | None = None,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
        poll: Callable[[], object] | None = None,
        line: Line | None = None,
        low_priority: bool = False,
    ) -> T:
        """What is remembered under the key, else `work(twin, progress, cancel)` on a twin, remembered from then on.

        Callers who ask for the same key meanwhile wait for the same work: it goes on as long as one of them does, and
        how they wait is their own affair, as in `run`. Its turn comes with the first turn of them all, and it gives way
        to other work as long as all of them are of low priority. A failure is not remembered.
        """
        refuse_workers("share")
        waiter = Waiter(user, timeout, cancel, progress, poll, line)
        with self._workers.changed:
            job = self._shared.get(key)
            if job is not None and job.open:
                self._workers.join(job, user, low_priority, waiter.begins_until)
            elif (found := self.recall(key)) is not None:
                return found  # type: ignore[no-any-return]
            else:
                job = Job(
                    lambda twin, job: self._kept(key, work, twin, job),
                    low_priority, self._workers.must_pause, until=waiter.begins_until,
                )  # fmt: skip
                self._workers.put(job, user)
                self._shared[key] = job
        try:
            return self._result(job, waiter)  # type: ignore[no-any-return]
        finally:
            with self._workers.changed:
                if not job.waiting and self._shared.get(key) is job:
                    del self._shared[key]

    def close(self) -> None:
        """Ends the workers and forgets all answers; work that waits raises Cancelled in its caller."""
        self._workers.close()
        self._memory.drop_group(self._group)

    def shutdown(self) -> None:
        """`close`, and what runs stops at the next module: returns once no worker is inside torch any more."""
        self._workers.shutdown()

    def _kept(self, key: Hashable, work: Shared[T], twin: Classifier, job: Job) -> T:
        """On the worker: the answer is remembered before anybody hears that it is there."""
        value = work(twin, job.report, job.given_up)
        self._memory.put(("answer", key), value, self._group)
        return value

    def _result(self, job: Job, waiter: Waiter) -> Any:
        """Waits for a job; whoever stops waiting leaves it, also where the thread is interrupted by an exception."""
        try:
            waiter.wait(job, self._workers.place)
        finally:
            self._workers.leave(job, waiter.user)
        if job.error is not None:
            raise job.error
        return job.value


@contextlib.contextmanager
def _memory_told() -> Iterator[None]:
    """Raises BusyError in place of errors that say that the memory was not enough."""
    try:
        yield
    except Exception as error:
        if (told := memory_told(error)) is not error:
            raise told from None
        raise


@atexit.register
def _shutdown_all() -> None:
    """A thread that is still inside torch when the interpreter goes would take the process down with an abort."""
    for service in list(_services):
        service.shutdown()
