"""The short form of `make attack`: every odd and hostile photo, and a few hundred that a fuzzer makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from inception_model.images.decoder_pool import DecoderPool
from inception_model.images.limits import ImageError
from tests.endurance import attack
from tests.endurance.photos import Odd, corpus
from tests.images.crafted import encoded, smooth

GOOD = encoded(smooth(20, 10), "PNG")


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool()
    yield pool
    pool.close()


@pytest.mark.filterwarnings("ignore")  # what Pillow thinks of damaged Exif
def test_odd_and_hostile_photos_give_pixels_or_a_sentence() -> None:
    assert len(corpus()) >= 500
    assert len({odd.data for odd in corpus().values()}) > 450
    assert attack.look_at(corpus()) == []


@pytest.mark.filterwarnings("ignore")
def test_fuzzed_photos_give_pixels_or_a_sentence_and_are_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attack.fuzz(120, tmp_path, piece=60) == []
    pieces: list[int] = []

    def piece(pool: DecoderPool, number: int, count: int, folder: Path) -> list[str]:
        pieces.append(number)
        return ["a fault"]

    monkeypatch.setattr(attack, "_piece", piece)
    assert attack.fuzz(180, tmp_path, piece=60) == ["a fault"]
    assert pieces == [2]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (Odd(GOOD, None), "it was read"),
        (Odd(GOOD, (10, 20)), "where (10, 20) is right"),
        (Odd(b"nothing", (10, 20)), "was refused"),
    ],
)
def test_a_fault_is_found(pool: DecoderPool, odd: Odd, said: str) -> None:
    assert said in attack.fault(pool, "photo", odd)
    assert attack.fault(pool, "photo", Odd(GOOD, (20, 10))) == ""


def test_an_error_of_the_program_is_found_made_small_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: DecoderPool, data: bytes, name: str) -> Image.Image:
        raise ZeroDivisionError("in the decoder") if len(data) > 40 else ImageError("photo is small.")

    monkeypatch.setattr(DecoderPool, "read_photo", broken)
    [fault] = attack.fuzz(30, tmp_path, piece=30)
    assert "ZeroDivisionError: in the decoder" in fault
    assert len((tmp_path / "fault-0.bin").read_bytes()) > 40
