"""The network of a session: checkpoint, device and precision, and the service that all sessions of a process share."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import streamlit as st

from app.state import classes, measures, operator, session, shelf, visitors
from app.state.options import RAW
from inception_model.analysis.probes import Probes, load_probes, probes_path
from inception_model.architecture.labels import Label
from inception_model.architecture.spec import HeadName, NetworkSpec
from inception_model.checkpoints.checkpoint import BUNDLED, Checkpoint
from inception_model.checkpoints.store import heads_path, load
from inception_model.inference.classifier import (
    DEFAULT_DEVICE,
    DEFAULT_PRECISION,
    DTYPES,
    Classifier,
    DeviceError,
    build,
    pick_device,
)
from inception_model.inference.voting import check_ensemble
from inception_model.serving.networks import Networks, NetworksInUseError
from inception_model.serving.service import InferenceService

Settings = tuple[str, str, str]
"""Checkpoint (name or path), device, precision."""
_DEFAULT: Settings = (BUNDLED, DEFAULT_DEVICE, DEFAULT_PRECISION)


def settings() -> Settings:
    """Checkpoint, device and precision as chosen in the sidebar."""
    return cast(Settings, session.get("settings", _DEFAULT))


def set_settings(checkpoint: str, device: str, precision: str) -> None:
    """Chooses the network; raises what loading it raises, or NetworksInUseError, and the one before stays."""
    chosen = checkpoint, device, precision
    before: Sequence[Label] = ()
    with contextlib.suppress(ValueError, OSError, DeviceError, NetworksInUseError):  # its file may be gone
        before = service().classifier.checkpoint.labels
    after = _service_of(chosen).classifier.checkpoint.labels
    session.put("settings", chosen)
    classes.follow(before, after)


FRESH = 0.25
"""Seconds for which a thread takes a network's files for what they were: one run of a page asks a hundred times."""
_LATELY = threading.local()

NETWORKS = Networks(visitors.is_here, operator.networks())
"""The networks of this process, and which visitors use them."""


def service() -> InferenceService:
    """The shared service of the chosen network, loaded and warmed on first use.

    Where it had to go while its visitor was away, and there is no room for it now, they are back at the first one.
    """
    try:
        return _service_of(settings())
    except NetworksInUseError:
        if settings() == _DEFAULT:
            raise
        session.put("settings", _DEFAULT)
        return _service_of(_DEFAULT)


def lent(name: str, guest: visitors.Guest) -> InferenceService:
    """The shared service of one of the operator's checkpoints, for somebody without a session.

    Nobody's pages lose their network by that: raises NetworksInUseError where there is no room for it.
    """
    path = operator.checkpoints()[name]
    return _service_of(_DEFAULT if path == _DEFAULT[0] else (path, *_DEFAULT[1:]), guest)


def warm() -> None:
    """Loads the network that every session begins with and asks it once, outside of any session.

    The server itself uses it from then on: it never has to go.
    """
    _service_of(_DEFAULT)


def working() -> tuple[int, int]:
    """(pieces of work that run, pieces that wait) at this moment, of all networks of the process."""
    loads = [service.load for service in NETWORKS.services()]
    return sum(running for running, _ in loads), sum(waiting for _, waiting in loads)


def looks_waiting() -> int:
    """Photos that wait for their forward pass at this moment, of all networks of the process."""
    return sum(service.looks_waiting for service in NETWORKS.services())


def _service_of(chosen: Settings, guest: visitors.Guest | None = None) -> InferenceService:
    who, now = guest or visitors.visitor(), time.monotonic()
    asked, since, known = getattr(_LATELY, "found", (None, 0.0, lambda: None))
    if asked == (chosen, who) and now - since < FRESH and (still := known()) is not None:
        return cast(InferenceService, still)
    found = _looked_up(chosen, who)
    _LATELY.found = (chosen, who), now, weakref.ref(found)  # what had to go is not kept by threads that wait
    return found


def _looked_up(chosen: Settings, who: Hashable) -> InferenceService:
    name, device, precision = chosen
    file = name, _stamp(Path(name).expanduser()), _stamp(heads_path(name))
    key = (*file, pick_device(device).type, precision)

    def load_it() -> InferenceService:
        with st.spinner("Loading the network") if visitors.visitor() else contextlib.nullcontext():
            alike = NETWORKS.find(lambda other: other[:3] == file)
            checkpoint = load(name) if alike is None else alike.classifier.checkpoint
            service = InferenceService(
                build(checkpoint, device, precision), memory=shelf.ANSWERS,
                looked=measures.LOOKS.observe, batched=measures.BATCHES.observe,
            )  # fmt: skip
            service.warm()
        return service

    return NETWORKS.use(key, who, load_it)


@lru_cache(maxsize=4)  # of 27 MB each; beside the networks that are chosen
def _member(name_or_path: str, stamps: tuple[tuple[int, int] | None, ...], device: str, precision: str) -> Classifier:
    return build(load(name_or_path), device, precision)


def _stamp(path: Path) -> tuple[int, int] | None:
    """When a file was changed and how long it is: a file that has changed is another network."""
    stat = path.stat() if path.is_file() else None
    return (stat.st_mtime_ns, stat.st_size) if stat else None


def member(name_or_path: str) -> Classifier:
    """Another checkpoint's network that votes with the chosen one, on its device and in its precision; never hook it.

    Raises what loading it raises, and EnsembleError where the two can't vote together.
    """
    chosen = service().classifier
    stamps = _stamp(Path(name_or_path).expanduser()), _stamp(heads_path(name_or_path))
    found = _member(name_or_path, stamps, chosen.device.type, chosen.precision)
    check_ensemble([chosen, found])
    return found


def checkpoint() -> Checkpoint:
    """The chosen checkpoint: labels, preprocessing, trained heads, provenance."""
    return service().classifier.checkpoint


def raw() -> bool:
    """Whether somebody chose plain softmax over the temperatures that the checkpoint carries; part of cache keys."""
    return session.option(RAW) and bool(checkpoint().temperatures)


def classifier() -> Classifier:
    """The network as its answers are shown: with the checkpoint's temperatures, or without where raw ones are asked."""
    found = service().classifier
    return found.raw() if raw() else found


def spec() -> NetworkSpec:
    """The architecture of the chosen checkpoint."""
    return checkpoint().spec


def trained_heads() -> tuple[HeadName, ...]:
    """The heads that were trained, in the order of depth."""
    return tuple(service().classifier.trained_heads)


def label(index: int) -> str:
    """The words of a class."""
    return checkpoint().label(index).words


def classifier_key() -> tuple[str, str, str]:
    """What makes answers of two networks differ: the checkpoint's hashes, device, precision. For cache keys."""
    found = service().classifier
    return checkpoint().identity, found.device.type, found.precision


def precisions(device: str) -> tuple[str, ...]:
    """Number types worth offering on a device: float16 is for GPUs, CPUs only imitate it."""
    gpu = pick_device(device).type != "cpu"
    return tuple(name for name in DTYPES if gpu or name != "float16")


def probes() -> Probes | None:
    """The chosen checkpoint's probes; None where no file lies beside it. Raises CheckpointError for a wrong file."""
    path, known = probes_path(settings()[0]), checkpoint()
    if not path.is_file():
        return None
    stat = path.stat()
    key = ("probes", str(path), stat.st_mtime_ns, stat.st_size, known.sha256)
    return shelf.ANSWERS.get(key, lambda: load_probes(path, known))
