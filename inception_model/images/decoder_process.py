"""The decoder as a process of its own: photos come in on standard input, pixels go out on standard output.

Started by `decoder_pool`. It imports no torch, so that it starts quickly, and answers in plain bytes: whatever a photo
makes of this process, it can only hand pixels or a sentence back.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from typing import IO, Any

from PIL import AvifImagePlugin

from .decode import Photo
from .limits import ImageError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Decoder = Callable[[bytes, str], Photo]
_LENGTHS = struct.Struct(">II")


def send(pipe: IO[bytes], about: dict[str, Any], body: bytes) -> None:
    """Writes one message: two lengths, JSON, bytes."""
    words = json.dumps(about).encode()
    pipe.write(_LENGTHS.pack(len(words), len(body)) + words)
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes], most: int) -> tuple[dict[str, Any], bytes]:
    """Reads one message; raises EOFError where it ends early or is longer than `most` bytes."""
    start = pipe.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        raise EOFError("the pipe was closed")
    words, body = _LENGTHS.unpack(start)
    if words + body > most:
        raise EOFError("the message is too long")
    about, data = pipe.read(words), pipe.read(body)
    if len(about) < words or len(data) < body:
        raise EOFError("the message was cut short")
    return json.loads(about), data


def limit_memory(bytes_more: int) -> None:
    """At most so many bytes of addresses more than now; nothing where the system can't do that."""
    if resource is None or not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", encoding="ascii") as status:  # noqa: PTH123
        now = int(status.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + bytes_more, now + bytes_more))


def limit_time(seconds: float) -> None:
    """The system ends this process once it has computed for so many seconds more (0: no limit).

    A timer rather than RLIMIT_CPU, which counts whole seconds since the start: each photo has its time from the
    beginning. It counts what all threads compute, and nobody asks the interpreter, which may be waiting for a decoder.
    """
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_PROF, seconds)


def serve(requests: IO[bytes], answers: IO[bytes], decode: Decoder) -> None:
    """Decodes one photo after another until the pipe is closed; keeps nothing of them."""
    while True:
        try:
            about, data = receive(requests, sys.maxsize)
        except EOFError:
            return
        limit_time(about["seconds"])
        answer, pixels = _answer(decode, data, about["name"])
        limit_time(0)  # waiting for the next one costs nothing
        send(answers, answer, pixels)
        del data, pixels


def _answer(decode: Decoder, data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    try:
        photo = decode(data, name)
    except ImageError as error:
        return {"refused": str(error)}, b""
    about = {"size": photo.size, "stored": photo.stored, "orientation": photo.orientation}
    return about, photo.image.tobytes()


def main(decoder: str, memory: int) -> None:
    """Serves with the function `module:name`."""
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    module, _, name = decoder.partition(":")
    decode: Decoder = getattr(importlib.import_module(module), name)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread sets addresses aside, and one is as much work
    limit_memory(memory)
    serve(sys.stdin.buffer, answers, decode)
