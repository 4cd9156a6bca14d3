"""The network of a session: checkpoint, device and precision, and the service that all sessions of a process share."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import streamlit as st

from app.state import session
from inception_model.analysis.probes import Probes, load_probes, probes_path
from inception_model.architecture.spec import HeadName, NetworkSpec
from inception_model.checkpoints.checkpoint import BUNDLED, Checkpoint
from inception_model.checkpoints.store import load
from inception_model.inference.classifier import (
    DEFAULT_DEVICE,
    DEFAULT_PRECISION,
    DTYPES,
    Classifier,
    build,
    pick_device,
)
from inception_model.serving.service import InferenceService

Settings = tuple[str, str, str]
"""Checkpoint (name or path), device, precision."""
_DEFAULT: Settings = (BUNDLED, DEFAULT_DEVICE, DEFAULT_PRECISION)


def settings() -> Settings:
    """Checkpoint, device and precision as chosen in the sidebar."""
    return cast(Settings, session.get("settings", _DEFAULT))


def set_settings(checkpoint: str, device: str, precision: str) -> None:
    """Chooses the network; raises what loading it raises, and the one before stays."""
    chosen = checkpoint, device, precision
    _service_of(chosen)
    session.put("settings", chosen)


@st.cache_resource(max_entries=3, show_spinner="Loading the network")
def _checkpoint(name_or_path: str, stamp: tuple[int, int] | None) -> Checkpoint:
    return load(name_or_path)


def load_checkpoint(name_or_path: str) -> Checkpoint:
    """A checkpoint, read once per process and again when its file has changed."""
    path = Path(name_or_path).expanduser()
    stat = path.stat() if path.is_file() else None
    return _checkpoint(name_or_path, (stat.st_mtime_ns, stat.st_size) if stat else None)


@st.cache_resource(max_entries=3, show_spinner="Waking the network", on_release=lambda service: service.close())
def _service(sha256: str, device: str, precision: str, _checkpoint: Checkpoint) -> InferenceService:
    service = InferenceService(build(_checkpoint, device, precision))
    service.warm()
    return service


def service() -> InferenceService:
    """The shared service of the chosen network, loaded and warmed on first use."""
    return _service_of(settings())


def _service_of(chosen: Settings) -> InferenceService:
    name, device, precision = chosen
    checkpoint = load_checkpoint(name)
    return _service(checkpoint.sha256, pick_device(device).type, precision, checkpoint)


def checkpoint() -> Checkpoint:
    """The chosen checkpoint: labels, preprocessing, trained heads, provenance."""
    return service().classifier.checkpoint


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
    """What makes answers of two networks differ: checkpoint hash, device, precision. For cache keys."""
    classifier: Classifier = service().classifier
    return checkpoint().sha256, classifier.device.type, classifier.precision


def precisions(device: str) -> tuple[str, ...]:
    """Number types worth offering on a device: float16 is for GPUs, CPUs only imitate it."""
    gpu = pick_device(device).type != "cpu"
    return tuple(name for name in DTYPES if gpu or name != "float16")


@st.cache_resource(max_entries=3, show_spinner=False)
def _probes(path: str, stamp: tuple[int, int], sha256: str, _checkpoint: Checkpoint) -> Probes:
    return load_probes(Path(path), _checkpoint)


def probes() -> Probes | None:
    """The chosen checkpoint's probes; None where no file lies beside it. Raises CheckpointError for a wrong file."""
    path, known = probes_path(settings()[0]), checkpoint()
    if not path.is_file():
        return None
    stat = path.stat()
    return _probes(str(path), (stat.st_mtime_ns, stat.st_size), known.sha256, known)
