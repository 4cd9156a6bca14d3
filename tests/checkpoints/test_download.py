"""Fetching published files, from a server on this machine that behaves and misbehaves."""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inception_model.checkpoints import download
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.download import CACHE_VARIABLE, PUBLISHED, Published, fetch, local_file
from inception_model.progress import Cancelled
from tests.checkpoints.loopback import CONTENT, SHA256, Server, assert_tells_what_to_do


@pytest.fixture
def entry(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A published file on that server, with an empty cache."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    like = PUBLISHED["caffe-imagenet"]
    return replace(like, url=server.url, file_name="weights.bin", megabytes=1.05, digest=("sha256", SHA256))


def part_of(entry: Published) -> Path:
    """Where an unfinished download lies."""
    return local_file(entry).with_name("weights.bin.part")


def test_a_file_is_fetched_once_and_found_from_then_on(entry: Published, server: Server) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(entry, progress=lambda done, total: seen.append((done, total)))
    assert path == local_file(entry)
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [file.name for file in path.parent.iterdir()] == ["weights.bin"]
    assert fetch(entry) == path == download.fetched(entry)
    assert len(server.asked) == 1


def test_a_server_that_names_no_length(entry: Published, server: Server) -> None:
    server.length = False
    assert fetch(entry).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(entry: Published, server: Server) -> None:
    server.stop_after = 300_000
    with pytest.raises(CheckpointError, match=r"ended after 0\.3 of 1\.0 MB; fetch again to go on"):
        fetch(entry)
    assert not local_file(entry).exists()
    assert part_of(entry).read_bytes() == CONTENT[:300_000]
    server.stop_after = None
    seen: list[int] = []
    assert fetch(entry, progress=lambda done, _: seen.append(done)).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]
    assert seen[0] == 300_000


def test_a_server_without_ranges_starts_again(entry: Published, server: Server) -> None:
    server.ranges = False
    part_of(entry).parent.mkdir()
    part_of(entry).write_bytes(b"x" * 5000)
    assert fetch(entry).read_bytes() == CONTENT


def test_a_download_that_only_lacked_its_name_is_not_repeated(entry: Published, server: Server) -> None:
    part_of(entry).parent.mkdir()
    part_of(entry).write_bytes(CONTENT)
    assert fetch(entry).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_parts_are_never_joined_without_a_hash_to_check_them(entry: Published, server: Server) -> None:
    part_of(entry).parent.mkdir()
    part_of(entry).write_bytes(b"x" * 5000)
    assert fetch(replace(entry, digest=None)).read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_file_without_a_published_hash_is_remembered_by_its_own(entry: Published) -> None:
    entry = replace(entry, digest=None)
    path = fetch(entry)
    assert path.with_name("weights.bin.sha256").read_text().strip() == SHA256
    assert download.fetched(entry) == path
    path.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=f"expected {SHA256}"):
        download.fetched(entry)


def test_a_wrong_file_is_thrown_away(entry: Published, server: Server) -> None:
    server.content = b"another file"
    found = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(CheckpointError, match=f"its sha256 is {found}, expected {SHA256}"):
        fetch(entry)
    assert list(local_file(entry).parent.iterdir()) == []


def test_a_wrong_file_put_there_by_hand_is_refused(entry: Published) -> None:
    local_file(entry).parent.mkdir()
    local_file(entry).write_bytes(b"another file")
    for ask in (fetch, download.fetched):
        with pytest.raises(CheckpointError, match="is not the published caffe-imagenet"):
            ask(entry)


def test_not_found(entry: Published, server: Server) -> None:
    server.status = 404
    with pytest.raises(CheckpointError, match="answers 404 Not Found") as caught:
        fetch(entry)
    assert_tells_what_to_do(str(caught.value), entry)
    assert list(local_file(entry).parent.iterdir()) == []


def test_no_network(entry: Published) -> None:
    entry = replace(entry, url="http://127.0.0.1:9/weights.bin")
    with pytest.raises(CheckpointError, match=r"can't be reached \(.*refused") as caught:
        fetch(entry)
    assert_tells_what_to_do(str(caught.value), entry)


def test_a_server_that_falls_silent(entry: Published, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    release = threading.Event()
    monkeypatch.setattr(server, "answer", lambda handler: release.wait(10))
    try:
        with pytest.raises(CheckpointError, match=r"can't be reached \(timed out"):
            fetch(entry)
    finally:
        release.set()


def test_a_cancelled_download_keeps_what_it_has(entry: Published, server: Server) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        fetch(entry, progress=lambda done, _: cancel.set() if done > 300_000 else None, cancel=cancel)
    have = part_of(entry).stat().st_size
    assert 300_000 < have < len(CONTENT)
    assert fetch(entry).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]


def test_a_server_that_offers_or_sends_too_much(entry: Published, server: Server) -> None:
    entry = replace(entry, megabytes=0.2)
    with pytest.raises(CheckpointError, match=r"offers 1\.0 MB, where about 0\.2 are expected"):
        fetch(entry)
    server.length = False
    with pytest.raises(CheckpointError, match=r"goes on after 0\.4 MB, twice what is expected"):
        fetch(entry)


def test_a_full_disk_is_seen_before_it_is_full(entry: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(CheckpointError, match=r"the disk is full: 1\.0 MB needed, 0\.5 MB free") as caught:
        fetch(entry)
    assert CACHE_VARIABLE in str(caught.value)


def test_a_disk_that_fills_up_on_the_way(entry: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "_copy", fill_up)
        with pytest.raises(CheckpointError, match="the disk is full: No space left on device"):
            fetch(entry)
    assert not local_file(entry).exists()
    assert fetch(entry).read_bytes() == CONTENT


def test_a_cache_that_is_no_folder(entry: Published, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(CheckpointError, match=r"the file can't be written: .*set INCEPTIONSCOPE_CACHE to another"):
        fetch(entry)


def test_two_browsers_that_ask_at_once(entry: Published) -> None:
    refused: list[str] = []

    def ask_again(done: int, total: int) -> None:
        if done == 0:
            with pytest.raises(CheckpointError, match="is already being fetched") as caught:
                fetch(entry)
            refused.append(str(caught.value))

    assert fetch(entry, progress=ask_again).read_bytes() == CONTENT
    assert len(refused) == 1


def test_without_a_hash_nothing_is_fetched_unencrypted(entry: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download._OPENER, "open", lambda *_, **__: pytest.fail("a connection was opened"))
    entry = replace(entry, url="http://example.org/weights.bin", digest=None)
    with pytest.raises(CheckpointError, match="is not encrypted, and no hash of the file is known"):
        fetch(entry)


@pytest.mark.parametrize("url", ["http://example.org/weights.bin", "ftp://example.org/weights.bin"])
def test_an_encrypted_download_is_not_led_to_a_plain_one(url: str) -> None:
    redirect = download._StaysEncrypted().redirect_request
    encrypted = urllib.request.Request("https://example.org/weights.bin")
    with pytest.raises(CheckpointError, match=r"leads to .*, which is not encrypted"):
        redirect(encrypted, None, 302, "Found", {}, url)
    followed = redirect(encrypted, None, 302, "Found", {}, "https://example.com/weights.bin")
    assert followed is not None
    assert followed.full_url == "https://example.com/weights.bin"
    assert any(isinstance(handler, download._StaysEncrypted) for handler in download._OPENER.handlers)
