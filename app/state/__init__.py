"""The one room for session state: which photo, which network, which module, branch and channel.

Pages call these functions and never touch `st.session_state` for anything that another page must find again: Streamlit
drops widget keys on a page change, the keys here stay. The photos have a room of their own behind this one
(`photos`). Answers are shared by all sessions of the process, keyed by the photo's hash and by the network (checkpoint
hash, device, precision), so nothing is computed twice and nobody sees another's photo without having the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

import streamlit as st

from app.state import links
from app.state.photos import (
    add_photo,
    add_problem,
    add_upload,
    beside_photo,
    current_photo,
    first_photo,
    forget_problems,
    half_key,
    here,
    looking_at,
    missing_photos,
    next_upload_round,
    of_each,
    photos,
    problems,
    select_photo,
    set_beside,
    upload_round,
    uploads,
)
from app.state.session import follow_view, named_photos
from app.state.session import get as _get
from app.state.session import put as _set
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, BranchKind, NetworkSpec
from inception_model.checkpoints.checkpoint import BUNDLED, Checkpoint
from inception_model.checkpoints.store import load
from inception_model.images.decode import Photo
from inception_model.inference.classifier import DTYPES, Classifier, build, pick_device
from inception_model.inference.trace import NODES, Trace
from inception_model.serving.service import InferenceService, Look

T = TypeVar("T")

Settings = tuple[str, str, str]
"""Checkpoint (name or path), device, precision."""


def restore_view() -> None:
    """At a session's first run: takes over what the address names. To be called in every whole run."""
    if not _get("restored", False):
        _set("restored", True)
        view = links.read(st.query_params.to_dict(), checkpoint(), named_photos())
        st.session_state.update({f"scope.{name}": value for name, value in view.items()})
    follow_view()


# The network


def settings() -> Settings:
    """Checkpoint, device and precision as chosen in the sidebar."""
    return cast(Settings, _get("settings", (BUNDLED, "auto", "float32")))


def set_settings(checkpoint: str, device: str = "auto", precision: str = "float32") -> None:
    """Chooses the network; raises what loading it raises, and the one before stays."""
    chosen = checkpoint, device, precision
    _service_of(chosen)
    _set("settings", chosen)


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


def classifier_key() -> tuple[str, str, str]:
    """What makes answers of two networks differ: checkpoint hash, device, precision. For cache keys."""
    classifier: Classifier = service().classifier
    return checkpoint().sha256, classifier.device.type, classifier.precision


def precisions(device: str) -> tuple[str, ...]:
    """Number types worth offering on a device: float16 is for GPUs, CPUs only imitate it."""
    gpu = pick_device(device).type != "cpu"
    return tuple(name for name in DTYPES if gpu or name != "float16")


# Answers


def look(photo: Photo | None = None) -> Look:
    """The current photo (or another one) through the network: its Trace and the seconds it took. Remembered."""
    return service().look(photo or current_photo())


def trace() -> Trace:
    """Logits of the heads and every branch of every module for the current photo (a batch of one)."""
    return look().trace


def remember(key: Hashable, compute: Callable[[], T]) -> T:
    """An answer about the current photo and network, computed once. Start the key with your page's name.

    The photo's hash is added here; put everything else that matters into `key`.
    """
    return service().remember((current_photo().sha256, key), compute)


def recall(key: Hashable) -> Any:
    """What `remember` keeps about the current photo and network under this key, or None; nothing is computed."""
    return service().recall((current_photo().sha256, key))


# The place in the network


def selected_module() -> str:
    """The Inception module that pages show, `4d` at first."""
    names = spec().module_names
    chosen = _get("module", "4d")
    return chosen if chosen in names else names[len(names) // 2]


def set_selected_module(name: str, branch: BranchKind | None = None) -> None:
    """Goes to a module, and to one of its branches if given; the channel is open again."""
    if name != _get("module", "4d") or (branch is not None and branch != selected_branch()):
        _set("channel", None)
    _set("module", name)
    if branch is not None:
        _set("branch", branch)
        _set("node", None)


def selected_branch() -> BranchKind:
    """One of the four branches, `5x5` at first."""
    return cast(BranchKind, _get("branch", "5x5"))


def set_selected_branch(branch: BranchKind) -> None:
    """Goes to a branch of the selected module."""
    if branch not in BRANCHES:
        raise ValueError(f"unknown branch {branch!r}; allowed: {', '.join(BRANCHES)}")
    set_selected_module(selected_module(), branch)


def selected_node() -> str:
    """One of `capture.NODES` in the selected module: the selected branch's output unless another node was picked."""
    return cast(str, _get("node", None) or BRANCH_UNIT[selected_branch()])


def set_selected_node(node: str, channel: int | None = None) -> None:
    """Goes to a node of the selected module and to one of its channels; a branch's output selects that branch too."""
    if node not in NODES:
        raise ValueError(f"unknown node {node!r}; allowed: {', '.join(NODES)}")
    branch = next((kind for kind, unit in BRANCH_UNIT.items() if unit == node), None)
    if branch is not None:
        _set("branch", branch)
    _set("module", selected_module())
    _set("node", None if branch else node)
    _set("channel", channel)


def selected_channel(default: int = 0) -> int:
    """A channel of the selected node, always one that exists there; `default` where none was picked yet."""
    chosen = _get("channel", None)
    width = int(trace().block(selected_module()).node(selected_node()).shape[1])
    return min(default if chosen is None else int(chosen), width - 1)


def set_selected_channel(channel: int) -> None:
    """Goes to a channel of the selected node."""
    set_selected_node(selected_node(), max(0, channel))


def option(name: str, default: T) -> T:
    """A choice on one page (start the name with the page's) that must outlive a page change."""
    return cast(T, _get(f"option.{name}", default))


def set_option(name: str, value: Any) -> None:
    """Keeps a choice made on one page."""
    _set(f"option.{name}", value)


# Moving between pages


def go_to(page: str) -> None:
    """From a callback: shows another page (`module`, `cost`, ...) on this very rerun."""
    _set("go_to", page)


def leaves() -> bool:
    """Whether `go_to` was called and no whole run has followed it yet."""
    return _get("go_to", None) is not None


def take_destination() -> str | None:
    """The page asked for by `go_to`, once."""
    destination = _get("go_to", None)
    _set("go_to", None)
    return cast("str | None", destination)
