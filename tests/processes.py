"""Processes of their own for tests that kill what they start, without each importing torch anew.

They are forked from a server that has imported the library and done nothing else: no thread, no open file and no number
of the tests' own process gets there. What a test hands over is pickled, so the work is a function of a module.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.processes", "inception_model.cli", "inception_model.training.trainer"])


def exit_codes(work: Callable[..., object], calls: Sequence[tuple[Any, ...]], seconds: float = 120) -> list[int]:
    """The work of every call at once, each in a new process: 0, or minus the signal that ended it.

    Raises AssertionError with the traceback where the work itself failed, or took longer than so many seconds.
    """
    started = []
    for arguments in calls:
        mine, theirs = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(target=_run, args=(theirs, work, arguments))
        # A new process first runs what is the main program here, and a test of a page leaves the page's script there.
        with mock.patch.dict(sys.modules, {"__main__": ModuleType("__main__")}):
            process.start()
        theirs.close()
        started.append((process, mine))
    try:
        for process, _ in started:
            process.join(seconds)
        assert all(process.exitcode is not None for process, _ in started), f"it took longer than {seconds} s"
    finally:
        for process, _ in started:
            process.kill()
            process.join()
    codes = [process.exitcode for process, _ in started]
    for code, (_, said) in zip(codes, started, strict=True):
        assert code != 1, said.recv()
    return [code for code in codes if code is not None]


def exit_code(work: Callable[..., object], *arguments: Any) -> int:
    """One call in a new process: see `exit_codes`."""
    return exit_codes(work, [arguments])[0]


def _run(failures: Connection, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """As in a new process, random numbers that nobody seeded differ from run to run. One thread: sums in one order."""
    random.seed()
    np.random.seed()
    torch.seed()
    torch.set_num_threads(1)
    try:
        work(*arguments)
    except BaseException:
        failures.send(traceback.format_exc())
        raise
