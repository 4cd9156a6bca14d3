"""Published checkpoints: where they lie, and how they are fetched (only when asked for), checked and kept."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ..progress import Progress, report
from .checkpoint import ASSETS, Checkpoint, CheckpointError, file_sha256

CACHE_VARIABLE = "INCEPTIONSCOPE_CACHE"
CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds without an answer or a byte after which a server counts as out of reach."""


@dataclass(frozen=True)
class Published:
    """A weight file that somebody else publishes.

    `digest` is (algorithm, hexadecimal digits that the file's hash begins with), or None where no hash was ever
    published: such a file is fetched over HTTPS only. `megabytes` is about the file's size; an answer of more than
    twice that is refused.
    """

    name: str
    title: str
    url: str
    file_name: str
    megabytes: float
    digest: tuple[str, str] | None
    licence: str
    accuracy: dict[str, Any]
    note: str = ""

    @property
    def card(self) -> str:
        """The model card, in Markdown."""
        return (ASSETS / "checkpoints" / f"{self.name}.md").read_text(encoding="utf-8")

    @property
    def by_hand(self) -> str:
        """What to do on a machine without a network."""
        return f"To do it by hand, download {self.url} on any machine and put the file at {local_file(self)}"

    def describe(self, checkpoint: Checkpoint) -> Checkpoint:
        """The file's checkpoint with what is known about the publication."""
        source = f"{self.title}, {self.url}"
        return replace(checkpoint, name=self.name, source=source, card=self.card, accuracy=self.accuracy)


PUBLISHED: dict[str, Published] = {
    entry.name: entry
    for entry in (
        Published(
            name="torchvision-imagenet",
            title="torchvision's GoogLeNet_Weights.IMAGENET1K_V1",
            url="https://download.pytorch.org/models/googlenet-1378be20.pth",
            file_name="googlenet-1378be20.pth",
            megabytes=52,
            digest=("sha256", "1378be20a8e875cf1568b8a71654e704449655e34711a959a38b04fb34905cef"),
            licence="BSD-3-Clause (torchvision); trained on ImageNet, whose images are for research only",
            accuracy={"main": {"top1": 0.69778, "top5": 0.8953}},
            note="Auxiliary heads are in the file but were never trained; the branch called 5x5 is a 3x3 convolution.",
        ),
        Published(
            name="caffe-imagenet",
            title="BVLC Caffe's bvlc_googlenet",
            url="http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
            file_name="bvlc_googlenet.caffemodel",
            megabytes=53.5,
            digest=("sha256", "6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad"),
            licence="unrestricted (BVLC); trained on ImageNet, whose images are for research only",
            accuracy={"main": {"top1": 0.687, "top5": 0.889}},
            note="All three heads are trained.",
        ),
        Published(
            name="inception5h",
            title="Google's inception5h in captum's PyTorch layout",
            url="https://pytorch.s3.amazonaws.com/models/captum/inception5h.pth",
            file_name="inception5h.pth",
            megabytes=28,
            digest=None,
            licence="none beside the file (captum is BSD-3-Clause, TensorFlow Apache-2.0); trained on ImageNet",
            accuracy={},
            note="No auxiliary heads. No hash was ever published, so the file is checked by its structure only.",
        ),
    )
}
"""Every published checkpoint by name."""


def cache_folder() -> Path:
    """Where fetched files are kept: $INCEPTIONSCOPE_CACHE, else ~/.cache/inceptionscope."""
    configured = os.environ.get(CACHE_VARIABLE)
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "inceptionscope"


def local_file(entry: Published) -> Path:
    """Where the file is, once fetched or put there by hand."""
    return cache_folder() / entry.file_name


def fetched(entry: Published) -> Path:
    """The file on this machine, its hash checked; CheckpointError says how to get it where it isn't."""
    path = local_file(entry)
    if not path.is_file():
        raise CheckpointError(
            f"{entry.name} isn't on this machine; fetch it with "
            f"`python -m inception_model checkpoints fetch {entry.name}`. {entry.by_hand}"
        )
    _verify(entry, path)
    return path


def fetch(entry: Published, *, progress: Progress | None = None, cancel: threading.Event | None = None) -> Path:
    """Downloads the file into the cache unless it is there, and returns its path.

    A broken download goes on where it stopped, unless there is no hash to tell that both parts belong together. The
    file appears under its name only once it is whole and its hash is right. `progress(bytes so far, bytes in all)`;
    raises progress.Cancelled, or CheckpointError on everything else that goes wrong.
    """
    path = local_file(entry)
    if path.is_file():
        _verify(entry, path)
        return path
    _require_trust(entry)
    part = path.with_name(f"{path.name}.part")
    with _one_at_a_time(entry), _explained(entry, part):
        part.parent.mkdir(parents=True, exist_ok=True)
        _download(entry, part, progress, cancel)
        try:
            _verify(entry, part)
        except CheckpointError:
            part.unlink()
            raise
        part.replace(path)
        if entry.digest is None:
            _record(path).write_text(file_sha256(path) + "\n", encoding="utf-8")
    return path


class _StaysEncrypted(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but from HTTPS only to HTTPS."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The next request; raises CheckpointError where it would no longer be encrypted."""
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise CheckpointError(f"{req.full_url} leads to {newurl}, which is not encrypted: not fetched")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_StaysEncrypted)


def _require_trust(entry: Published) -> None:
    """Without a hash only an encrypted connection tells who sent the file; this machine itself needs none."""
    address = urlsplit(entry.url)
    if entry.digest is None and address.scheme != "https" and address.hostname not in ("127.0.0.1", "::1"):
        raise CheckpointError(f"{entry.url} is not encrypted, and no hash of the file is known: not fetched")


def _download(entry: Published, part: Path, progress: Progress | None, cancel: threading.Event | None) -> None:
    have = part.stat().st_size if part.exists() and entry.digest is not None else 0
    headers = {"User-Agent": "inceptionscope"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = _OPENER.open(urllib.request.Request(entry.url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is left to fetch; whether the part is the file, its hash will tell
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.length or 0
        limit = int(2 * entry.megabytes * 1e6)
        total = have + length if length else int(entry.megabytes * 1e6)
        if total > limit:
            raise CheckpointError(
                f"{entry.url} offers {total / 1e6:.1f} MB, where about {entry.megabytes:g} are expected"
            )
        _require_space(part.parent, total - have)
        with part.open("ab" if have else "wb") as file:
            done = _copy(response, file, have, total, limit, progress, cancel)
    if length and done < total:
        raise CheckpointError(
            f"the connection to {entry.url} ended after {done / 1e6:.1f} of {total / 1e6:.1f} MB; fetch again to go on"
        )


def _copy(
    response: http.client.HTTPResponse,
    file: BinaryIO,
    done: int,
    total: int,
    limit: int,
    progress: Progress | None,
    cancel: threading.Event | None,
) -> int:
    """Appends what the server sends to `file` and returns the bytes there are then."""
    report(done, total, progress, cancel)
    while chunk := response.read(CHUNK):
        done += len(chunk)
        if done > limit:
            raise CheckpointError(f"the server goes on after {limit / 1e6:.1f} MB, twice what is expected; stopped")
        file.write(chunk)
        report(done, total, progress, cancel)
    file.flush()
    return done


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free")


def _verify(entry: Published, path: Path) -> None:
    """Raises CheckpointError if the file's hash isn't the published one (or, without one, the one once fetched)."""
    record = _record(path)
    if entry.digest is not None:
        algorithm, expected = entry.digest
    elif record.is_file():
        algorithm, expected = "sha256", _recorded(record)
    else:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if not found.startswith(expected):
        raise CheckpointError(
            f"{path} is not the published {entry.name}: its {algorithm} is {found}, expected {expected}"
            f"{'...' if len(expected) < len(found) else ''}. Delete it and fetch it again. {entry.by_hand}"
        )


def _record(path: Path) -> Path:
    """Where the hash of a file without a published one is noted when it is fetched."""
    return path.with_name(f"{path.name}.sha256")


def _recorded(record: Path) -> str:
    """The hash in such a note; whatever else stands there is no file's hash, and isn't repeated in a message."""
    with record.open("rb") as file:
        found = file.read(65).decode("ascii", "replace").strip()
    return found if re.fullmatch("[0-9a-f]{64}", found) else "(a damaged note of its hash)"


_BUSY: set[str] = set()
_BUSY_LOCK = threading.Lock()


@contextmanager
def _one_at_a_time(entry: Published) -> Iterator[None]:
    """Two browsers that ask for the same file must not write into the same part of it."""
    with _BUSY_LOCK:
        if entry.name in _BUSY:
            raise CheckpointError(f"{entry.name} is already being fetched; wait until that is done")
        _BUSY.add(entry.name)
    try:
        yield
    finally:
        with _BUSY_LOCK:
            _BUSY.discard(entry.name)


@contextmanager
def _explained(entry: Published, part: Path) -> Iterator[None]:
    """Network and disk errors as CheckpointError, with what to do."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise CheckpointError(f"{entry.url} answers {error.code} {error.reason}. {entry.by_hand}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise CheckpointError(f"{entry.url} can't be reached ({reason}). {entry.by_hand}") from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else "the file can't be written"
        raise CheckpointError(
            f"{what}: {error.strerror or error} ({part.parent}). Make room, or set {CACHE_VARIABLE} to another folder"
        ) from error
