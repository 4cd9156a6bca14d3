"""What the operator of the server allows visitors to do and to take, by environment variables.

INCEPTIONSCOPE_CHECKPOINTS names a folder whose weight files everybody may choose; without it no file of the server can
be opened. INCEPTIONSCOPE_FETCH=1 lets visitors fetch published weights, =0 forbids it; without it they may where the
server listens to its own machine only. INCEPTIONSCOPE_ANSWERS_MB, INCEPTIONSCOPE_PHOTOS_MB, INCEPTIONSCOPE_SESSION_MB:
memory for remembered answers, for the photos of all visitors, and for those of one. INCEPTIONSCOPE_NETWORKS: how many
networks are held at a time. INCEPTIONSCOPE_API: how many requests of programs are worked on at a time; 0 turns them
away. INCEPTIONSCOPE_SESSIONS: how many people are in at a time; 0 takes everybody. INCEPTIONSCOPE_IDLE_MINUTES: after
how long without anything done a place is given on to somebody who waits; 0: never. INCEPTIONSCOPE_INDEX: the folder of
an index that `index DATA` has built; INCEPTIONSCOPE_DATA: the folder of its images, which everybody may then see.
INCEPTIONSCOPE_METRICS=1 shows everybody what the server does and holds, =0 nobody; without it that is shown where the
server listens to its own machine only (`app/web.py`).
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from app import web
from inception_model.checkpoints.checkpoint import BUNDLED
from inception_model.checkpoints.download import PUBLISHED, local_file
from inception_model.serving.networks import MOST
from inception_model.serving.service import ANSWER_BYTES

MEGABYTE = 2**20

FOLDER = "INCEPTIONSCOPE_CHECKPOINTS"
FETCH = "INCEPTIONSCOPE_FETCH"
ANSWERS, PHOTOS, SESSION = "INCEPTIONSCOPE_ANSWERS_MB", "INCEPTIONSCOPE_PHOTOS_MB", "INCEPTIONSCOPE_SESSION_MB"
NETWORKS = "INCEPTIONSCOPE_NETWORKS"
API = "INCEPTIONSCOPE_API"
INDEX, DATA = "INCEPTIONSCOPE_INDEX", "INCEPTIONSCOPE_DATA"
METRICS = web.METRICS
API_REQUESTS = 8
"""Requests of programs at a time: each holds up to one photo's file, and waits for its turn."""
SESSIONS = "INCEPTIONSCOPE_SESSIONS"
PEOPLE = 40
"""Pages that are open at a time: a class of thirty, its teacher and some second tabs."""
IDLE = "INCEPTIONSCOPE_IDLE_MINUTES"
IDLE_MINUTES = 15
"""So long nothing may happen on a page while others wait for its place."""
PHOTO_BYTES = 1024 * MEGABYTE
"""Memory for the decoded photos of all visitors."""
SESSION_BYTES = 320 * MEGABYTE
"""Memory for the decoded photos of one visitor: about 24 of a usual camera."""
LEAST = 64
"""Megabytes below which a page could not hold what it shows: a look takes 12, a photo up to 16."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".caffemodel")
"""Endings of weight files; what a file holds is told by its contents."""
SIDE_FILES = (".probes.safetensors", ".ood.safetensors", ".heads.safetensors", ".examples.safetensors")
"""What lies beside a weight file and is none."""


def weight_files() -> dict[str, Path]:
    """The operator's weight files by name: right in the folder, none hidden, no link that leads out of it."""
    named = os.environ.get(FOLDER, "").strip()
    if not named:
        return {}
    try:
        folder = Path(named).expanduser().resolve(strict=True)
        found = sorted(folder.iterdir())
    except OSError:  # the folder is gone or closed: the app goes on with what it has
        return {}
    return {path.name: path.resolve() for path in found if _is_weight_file(path, folder)}


def _is_weight_file(path: Path, folder: Path) -> bool:
    """By its name, and by where it really lies."""
    name = path.name.lower()
    if name.startswith(".") or not name.endswith(SUFFIXES) or name.endswith(SIDE_FILES):
        return False
    real = path.resolve()
    return real.is_file() and real.is_relative_to(folder)


def checkpoints() -> dict[str, str]:
    """What can be chosen and what it is loaded by: the bundled one, those already fetched, the operator's files.

    There is no other way to a file: neither a visitor nor a link can name a path of this machine.
    """
    fetched = (name for name, entry in PUBLISHED.items() if local_file(entry).is_file())
    return {name: name for name in (BUNDLED, *fetched)} | {name: str(path) for name, path in weight_files().items()}


def index_folder() -> Path | None:
    """The folder of an index of a data set."""
    return _named_folder(INDEX)


def data_folder() -> Path | None:
    """The folder of the images of that index."""
    return _named_folder(DATA)


def _named_folder(name: str) -> Path | None:
    named = os.environ.get(name, "").strip()
    return Path(named).expanduser() if named else None


def may_fetch() -> bool:
    """Whether visitors may let this server fetch published weights."""
    said = os.environ.get(FETCH, "").strip()
    return said == "1" if said else web.listens_to_itself(st.get_option("server.address"))


def answer_bytes() -> int:
    """Memory for all that is remembered of networks' answers."""
    return _said(ANSWERS, ANSWER_BYTES // MEGABYTE, LEAST) * MEGABYTE


def photo_bytes() -> int:
    """Memory for the photos of all visitors."""
    return _said(PHOTOS, PHOTO_BYTES // MEGABYTE, LEAST) * MEGABYTE


def session_bytes() -> int:
    """Memory for the photos of one visitor."""
    return _said(SESSION, SESSION_BYTES // MEGABYTE, LEAST) * MEGABYTE


def networks() -> int:
    """Networks that are held at a time."""
    return _said(NETWORKS, MOST, 1)


def api_requests() -> int:
    """Requests of programs that are worked on at a time."""
    return _said(API, API_REQUESTS, 0)


def sessions() -> int:
    """Pages that may be open at a time."""
    return _said(SESSIONS, PEOPLE, 0)


def idle_seconds() -> float:
    """After so long without anything done a place is given on to somebody who waits; 0: never."""
    return 60.0 * _said(IDLE, IDLE_MINUTES, 0)


def _said(name: str, otherwise: int, least: int) -> int:
    """A whole number from the environment; raises ValueError for anything else and for less than `least`."""
    said = os.environ.get(name, "").strip()
    if said and not (said.isdecimal() and int(said) >= least):
        raise ValueError(f"{name} is {said!r}; it must be a whole number, {least} at least, or not be set")
    return int(said) if said else otherwise
