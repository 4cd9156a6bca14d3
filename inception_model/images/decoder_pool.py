"""Photos from strangers, decoded in processes that are ended when they take too long.

    photo = POOL.read_photo(data, "cat.jpg")

A thread can't be ended, and much of Pillow doesn't even let others run meanwhile. So what the header doesn't bound is
decoded in a process of its own, which the system stops by its processor time and this one by the clock.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from .decode import WORKING_SIDE, Photo, check_bytes, read_photo
from .decoder_process import receive, send
from .headers import Header
from .limits import MAX_MEMORY, ImageError

PROCESSES = 2
"""Decodings at once."""
PROCESSOR_SECONDS = 5.0
"""Of the process itself: a busy machine takes nothing from an honest photo. Where the system can count it (not on
Windows)."""
CLOCK_SECONDS = 60.0
POLL_SECONDS = 0.02
"""How often it is asked whether anybody still waits for a photo."""
ADDRESSES = MAX_MEMORY + 2**29
"""Bytes of addresses beyond those after the start (on Linux): what decoding may take and what allocators set aside."""
SMALL_PIXELS = 4_000_000
"""Ordinary photos up to this size are decoded right here: see `_bounded`."""
SMALL_BYTES = 4 * 2**20
_DECODER = "inception_model.images.decode:read_photo"
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from inception_model.images.decoder_process import main; main(sys.argv[2], int(sys.argv[3]))"
)
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
}
"""One thread, and (with glibc) the memory of a photo goes back to the system once it is decoded."""
_SMALLER = "save a smaller copy as an ordinary JPEG and try again"


Poll = Callable[[], object]
"""Is called again and again by whoever waits, and may raise."""
T = TypeVar("T")


class _LostError(Exception):
    """The process is no longer to be used; the message says what the photo did, without its name."""


class _GivenUpError(Exception):
    """Whoever waits gave up; `reason`: what `poll` raised, which may look like an error of the pipes."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Worker:
    """One decoder process and its pipes."""

    def __init__(self, decoder: str, memory: int) -> None:
        path = [str(Path(entry or ".").resolve()) for entry in sys.path]  # as multiprocessing hands it on
        # multiprocessing itself would run the app's main script again in the new process, with torch and Streamlit.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(path), decoder, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.pid = self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs: an idle one may have been ended by somebody else."""
        return self._process.poll() is None

    def ask(self, data: bytes, name: str, processor: float, clock: float, poll: Poll | None = None) -> Photo:
        """One photo; raises ImageError for what the decoder refuses, _LostError once the process is gone, and what
        `poll` raises, with which the process ends."""
        late = threading.Event()

        def overrun() -> None:
            late.set()
            self._process.kill()  # which ends the reading below

        timer = threading.Timer(clock, overrun)
        timer.daemon = True
        timer.start()
        try:
            about, pixels = self._exchange({"name": name, "seconds": processor}, data, poll)
        except _GivenUpError as given_up:
            raise given_up.reason from None
        except (EOFError, OSError, ValueError):
            self.close()
            if late.is_set():
                raise _LostError(f"takes more than {clock:g} seconds to decode") from None
            if self._process.returncode == -getattr(signal, "SIGPROF", 0) != 0:
                raise _LostError(f"takes more than {processor:g} seconds of processor time to decode") from None
            raise _LostError("made its decoder fail") from None
        finally:
            timer.cancel()
        if "refused" in about:
            raise ImageError(str(about["refused"]))
        return _photo(about, pixels, data, name)

    def _exchange(self, request: dict[str, Any], data: bytes, poll: Poll | None) -> tuple[dict[str, Any], bytes]:
        """The decoder's answer; a thread waits for it where there is something to ask meanwhile."""

        def exchange() -> tuple[dict[str, Any], bytes]:
            send(self._requests, request, data)
            return receive(self._answers, 3 * WORKING_SIDE**2 + 2**16)

        if poll is None:
            return exchange()
        found: Future[tuple[dict[str, Any], bytes]] = Future()
        thread = threading.Thread(target=_fulfil, args=(found, exchange), daemon=True, name="decoding")
        thread.start()
        try:
            while not wait((found,), POLL_SECONDS).done:
                poll()
        except BaseException as error:
            self._process.kill()  # which ends what the thread waits for
            thread.join()
            raise _GivenUpError(error) from error
        return found.result()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):  # what couldn't be sent any more
                pipe.close()


def _fulfil(found: Future[T], work: Callable[[], T]) -> None:
    try:
        found.set_result(work())
    except BaseException as error:  # raised by whoever reads the result
        found.set_exception(error)


def _photo(about: dict[str, Any], pixels: bytes, data: bytes, name: str) -> Photo:
    """What a decoder answered, which may be anything; raises _LostError where it is no photo."""
    try:
        wide, high = map(int, about["size"])
        stored = None if about["stored"] is None else (int(about["stored"][0]), int(about["stored"][1]))
        turn = int(about["orientation"])
        if max(wide, high) > WORKING_SIDE or not 1 <= turn <= 8 or min(wide, high, *(stored or (1,))) < 1:
            raise ValueError
        return Photo(Image.frombytes("RGB", (wide, high), pixels), hashlib.sha256(data).hexdigest(), name, stored, turn)
    except (KeyError, IndexError, TypeError, ValueError):
        raise _LostError("made its decoder answer nonsense") from None


def _bounded(data: bytes, header: Header) -> bool:
    """Whether a photo may be decoded in this process: only where what was checked already bounds the cost.

    That is a small photo without a colour profile (a profile is a program of its own) as baseline JPEG, PNG, GIF or
    plain BMP, whose decoders pass over each byte and each pixel a fixed number of times.
    """
    if not header.simple or len(data) > SMALL_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(data), formats=(header.format,)) as source:
            return source.width * source.height <= SMALL_PIXELS
    except Exception:  # the decoder process will say what is wrong
        return False


class DecoderPool:
    """`read_photo` with limits of time and memory, and at most `PROCESSES` decodings at once.

    Processes start when they are first needed, stay for the next photo, and are replaced once they were ended. They go
    with this one: by `close`, at exit, and when their pipe closes.
    """

    def __init__(
        self,
        *,
        decoder: str = _DECODER,
        processor: float = PROCESSOR_SECONDS,
        clock: float = CLOCK_SECONDS,
        memory: int = ADDRESSES,
    ) -> None:
        self._decoder, self._processor, self._clock, self._memory = decoder, processor, clock, memory
        self._turns = threading.BoundedSemaphore(PROCESSES)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        atexit.register(self.close)

    def idle(self) -> list[int]:
        """The ids of the processes that wait for a photo."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def read_photo(self, data: bytes, name: str = "image", *, poll: Poll | None = None) -> Photo:
        """Decodes untrusted bytes as `decode.read_photo`; raises ImageError also where that takes too long.

        `poll` is called again and again while it waits and decodes; what it raises ends both.
        """
        header = check_bytes(data, name)
        with self._turn(poll):
            if _bounded(data, header):
                return read_photo(data, name)
            worker = self._take(name)
            try:
                photo = worker.ask(data, name, self._processor, self._clock, poll)
            except _LostError as lost:
                worker.close()
                raise ImageError(f"{name} {lost}: {_SMALLER}.") from None
            except ImageError:
                self._give_back(worker)
                raise
            except BaseException:  # half a message may be under way
                worker.close()
                raise
            self._give_back(worker)
            return photo

    @contextlib.contextmanager
    def _turn(self, poll: Poll | None) -> Iterator[None]:
        """One of the places, once there is a free one."""
        while not self._turns.acquire(timeout=None if poll is None else POLL_SECONDS):
            if poll is not None:
                poll()
        try:
            yield
        finally:
            self._turns.release()

    def _take(self, name: str) -> _Worker:
        with self._lock:
            waiting, self._idle = self._idle, []
            alive = [worker for worker in waiting if worker.alive()]
            self._idle = alive[1:]
        for worker in waiting:
            if worker not in alive:
                worker.close()
        if alive:
            return alive[0]
        try:
            return _Worker(self._decoder, self._memory)
        except OSError as error:
            raise ImageError(
                f"{name} can't be decoded now, because no process could be started for it "
                f"({error.strerror or error}): try again."
            ) from None

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def close(self) -> None:
        """Ends the waiting processes; the next photo starts new ones."""
        with self._lock:
            ended, self._idle = self._idle, []
        for worker in ended:
            worker.close()


POOL = DecoderPool()
"""The one of this process; nothing starts before the first photo that needs it."""
