"""Decoding in processes that can be ended: limits of processor time, clock and memory, and what comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from inception_model.images import decoder_pool
from inception_model.images.decode import ImageError, check_bytes, read_photo
from inception_model.images.decoder_pool import PROCESSES, DecoderPool
from inception_model.progress import Cancelled
from tests.images.crafted import animation, encoded, png, slow_bmp, smooth

ROOT = Path(__file__).resolve().parents[2]
PHOTO = encoded(smooth(60, 40), "WEBP", lossless=True)
"""Always decoded in a process: what WebP costs, its header does not say."""


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    """Processes with a decoder that does as the photo's name says."""
    pool = DecoderPool(decoder="tests.images.odd_decoders:decode", processor=0.4, clock=20)
    yield pool
    pool.close()


@pytest.fixture
def patient() -> Iterator[DecoderPool]:
    """The same decoder within the app's own limits: a slow processor needs its time for a large photo."""
    pool = DecoderPool(decoder="tests.images.odd_decoders:decode")
    yield pool
    pool.close()


@pytest.fixture
def unhurried() -> Iterator[DecoderPool]:
    """The app's own decoder within its own limits, for photos of which each takes a while."""
    pool = DecoderPool()
    yield pool
    pool.close()


def said(pool: DecoderPool, name: str, data: bytes = PHOTO) -> str:
    """The sentence that refuses a photo."""
    with pytest.raises(ImageError) as error:
        pool.read_photo(data, name)
    return str(error.value)


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_photo_that_computes_too_long_ends_with_its_process(pool: DecoderPool) -> None:
    pool.read_photo(PHOTO, "first")
    (before,) = pool.idle()
    assert said(pool, "endless.webp") == (
        "endless.webp takes more than 0.4 seconds of processor time to decode: save a smaller copy as an ordinary JPEG "
        "and try again."
    )
    assert gone(before)
    assert pool.idle() == []
    assert pool.read_photo(PHOTO, "next").size == (60, 40)
    assert len(pool.idle()) == 1


def test_decoding_ends_with_whoever_waits_for_it() -> None:
    pool = DecoderPool(decoder="tests.images.odd_decoders:decode", processor=20, clock=20)
    try:
        # Each leaves its place. The second error is one that broken pipes raise as well.
        for error in (Cancelled("nobody waits"), TimeoutError("not in time")) * PROCESSES:
            assert pool.read_photo(PHOTO, "next", poll=lambda: None).size == (60, 40)
            (process,) = pool.idle()
            started = time.monotonic()

            def gives_up(started: float = started, error: Exception = error) -> None:
                if time.monotonic() > started + 0.2:
                    raise error

            with pytest.raises(type(error), match=str(error)):
                pool.read_photo(PHOTO, "endless.webp", poll=gives_up)
            assert time.monotonic() - started < 5, "it would take 20 seconds"
            assert gone(process)
        assert pool.idle() == []
    finally:
        pool.close()


def test_who_waits_for_a_place_may_give_up_as_well(pool: DecoderPool) -> None:
    for _ in range(PROCESSES):
        assert pool._turns.acquire(timeout=5)
    with ThreadPoolExecutor(1) as threads:
        mine = threads.submit(pool.read_photo, PHOTO, "mine", poll=lambda: 1 // 0)
        try:
            with pytest.raises(ZeroDivisionError):
                mine.result(10)
        finally:
            for _ in range(PROCESSES):
                pool._turns.release()
    assert pool.read_photo(PHOTO, "mine", poll=lambda: None).size == (60, 40)


def test_a_real_file_that_takes_long_to_unpack_is_ended() -> None:
    pool = DecoderPool(processor=0.3)
    assert "takes more than 0.3 seconds of processor time" in said(pool, "runs.bmp", slow_bmp(3500, 2500))
    assert pool.idle() == []


def test_time_in_which_the_machine_does_something_else_does_not_count(pool: DecoderPool) -> None:
    assert pool.read_photo(PHOTO, "waiting.webp").size == (60, 40)


def test_each_photo_has_the_whole_time(pool: DecoderPool) -> None:
    """What one process computed for photos before is not taken from the next one."""
    for _ in range(3):
        pool.read_photo(PHOTO, "working.webp")
    assert len(pool.idle()) == 1


def test_a_process_that_hangs_is_ended_by_the_clock() -> None:
    pool = DecoderPool(decoder="tests.images.odd_decoders:decode", clock=1)
    start = time.monotonic()
    assert "takes more than 1 seconds to decode" in said(pool, "stuck.webp")
    assert time.monotonic() - start < 10
    assert pool.idle() == []


@pytest.mark.parametrize("what", ["crash", "nonsense"])
def test_a_decoder_that_fails_is_replaced(pool: DecoderPool, what: str) -> None:
    pool.read_photo(PHOTO, "first")
    (before,) = pool.idle()
    assert "made its decoder" in said(pool, f"{what}.webp")
    assert gone(before)
    assert pool.read_photo(PHOTO, "next").size == (60, 40)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits addresses")
def test_memory_is_limited_by_the_system(pool: DecoderPool) -> None:
    assert "made its decoder fail" in said(pool, "greedy.webp")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from Linux's table of processes")
def test_a_waiting_process_keeps_no_memory_of_photos(unhurried: DecoderPool) -> None:
    pool = unhurried

    def held() -> int:
        (process,) = pool.idle()
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    pool.read_photo(PHOTO, "small")
    before = held()
    pool.read_photo(png(6000, 1000, depth=16, colour=6), "large.png")
    assert held() - before < 12 * 2**20, "decoded, it has 24 MB"


def test_a_process_that_somebody_ended_is_no_reason_to_refuse(pool: DecoderPool) -> None:
    pool.read_photo(PHOTO, "first")
    (before,) = pool.idle()
    os.kill(before, 9)
    time.sleep(0.2)
    assert pool.read_photo(PHOTO, "next").size == (60, 40)
    assert before not in pool.idle()


def test_processes_stay_warm_and_import_no_torch(pool: DecoderPool) -> None:
    modules = said(pool, "modules.webp").split()
    assert "PIL" in modules
    assert not {"torch", "streamlit", "torchvision"} & set(modules)
    (process,) = pool.idle()
    assert said(pool, "process.webp") == str(process)


def test_at_most_two_decode_at_once(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(6) as threads:
        processes = set(threads.map(lambda number: said(pool, f"process.{number}"), range(6)))
    assert len(processes) == PROCESSES == len(pool.idle()) == 2
    # Small ones, decoded in this process, take a turn too.
    now, most, lock = 0, 0, threading.Lock()

    def counted(data: bytes, name: str) -> object:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return read_photo(data, name)

    monkeypatch.setattr(decoder_pool, "read_photo", counted)
    small = encoded(smooth(60, 40), "PNG")
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: pool.read_photo(small, f"small.{number}"), range(6)))
    assert most == 2


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return encoded(smooth(3000, 1500), "JPEG", exif=exif, icc_profile=profile, progressive=True)


@pytest.mark.parametrize("data", [PHOTO, turned(), encoded(smooth(60, 40), "TIFF")], ids=["webp", "turned", "tiff"])
def test_a_photo_is_the_same_as_without_the_pool(patient: DecoderPool, data: bytes) -> None:
    found, wanted = patient.read_photo(data, "chatty.jpg"), read_photo(data, "chatty.jpg")
    assert len(patient.idle()) == 1, "it was decoded in a process"
    assert np.array_equal(np.asarray(found.image), np.asarray(wanted.image))
    assert (found.sha256, found.name, found.stored, found.orientation) == (
        wanted.sha256, wanted.name, wanted.stored, wanted.orientation,
    )  # fmt: skip


def test_what_the_library_refuses_is_refused_in_the_same_words(pool: DecoderPool) -> None:
    cut = PHOTO[:-20]
    with pytest.raises(ImageError) as error:
        read_photo(cut, "cut.webp")
    assert said(pool, "cut.webp", cut) == str(error.value)
    assert len(pool.idle()) == 1
    assert "0 bytes" in said(pool, "nothing", b"")


@pytest.mark.parametrize(
    ("data", "here"),
    [
        (encoded(smooth(600, 400), "JPEG"), True),
        (encoded(smooth(600, 400), "PNG"), True),
        (encoded(smooth(600, 400), "BMP"), True),
        (animation("GIF", 3), True),
        (encoded(smooth(600, 400), "JPEG", progressive=True), False),
        (encoded(smooth(600, 400), "JPEG", icc_profile=b"a program of its own"), False),
        (encoded(smooth(600, 400), "PNG", icc_profile=b"a program of its own"), False),
        (encoded(smooth(600, 400), "WEBP"), False),
        (encoded(smooth(600, 400), "TIFF"), False),
        (slow_bmp(60, 40), False),
        (png(2001, 2000), False),
        (encoded(smooth(60, 40), "PNG") + bytes(2**22), False),
    ],
)
def test_only_photos_whose_cost_is_bounded_are_decoded_in_the_apps_process(data: bytes, here: bool) -> None:
    assert decoder_pool._bounded(data, check_bytes(data)) is here


def test_nothing_starts_before_it_is_needed(pool: DecoderPool) -> None:
    assert pool.read_photo(encoded(smooth(60, 40), "PNG")).size == (60, 40)
    assert pool.idle() == []


ORPHANED = """
import os, sys
from pathlib import Path
from inception_model.images.decoder_pool import POOL
POOL.read_photo(Path(sys.argv[1]).read_bytes(), "photo")
print(*POOL.idle(), flush=True)
os._exit(0)
"""


def test_processes_go_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Also when it had no chance to say so."""
    path = tmp_path / "photo"
    path.write_bytes(PHOTO)
    done = subprocess.run([sys.executable, "-c", ORPHANED, path], capture_output=True, text=True, check=True, cwd=ROOT)
    assert gone(int(done.stdout))
