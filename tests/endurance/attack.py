"""What strangers may send: every odd and hostile file that somebody thought of, and those that a fuzzer makes of them.

A photo is decoded the way the app decodes uploads. It has to give pixels of the size that it says, or one sentence,
within `SECONDS` and `GROWTH` of this process's memory; nothing else may come out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from inception_model.images.decode import WORKING_SIDE, Photo
from inception_model.images.decoder_pool import PROCESSOR_SECONDS, DecoderPool
from inception_model.images.limits import MAX_MEMORY, ImageError
from tests.checkpoints.hostile.corpus import CORPUS, faults_of, outcomes
from tests.checkpoints.hostile.reader import peak, start
from tests.endurance.photos import Odd, corpus

SECONDS = PROCESSOR_SECONDS + 1
"""Of this process and the decoder together; what the decoder alone may take, the system counts."""
GROWTH = MAX_MEMORY
PIECE = 1000
"""Fuzzed photos between two notes of what is done."""
LONGEST = 700
"""Characters of a sentence."""
NUMBERS = tuple(
    number.to_bytes(size, order)
    for size in (1, 2, 4)
    for number in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("big", "little")
)
"""What counts and lengths go wrong with."""

Say = Callable[[str], None]


def attack(photos: int, folder: Path, say: Say) -> list[str]:
    """The corpus of photos, the weight files, and so many fuzzed photos; those that were done in `folder` are not done
    again. Returns what is not as it has to be."""
    odd = corpus()
    found = look_at(odd)
    say(f"{len(odd)} odd and hostile photos: {len(found)} faults")
    told = outcomes(folder / "weights")
    wrong = [fault for name in CORPUS for fault in faults_of(name, told[name])]
    say(f"{len(CORPUS)} hostile weight files: {len(wrong)} faults")
    return [*found, *wrong, *fuzz(photos, folder, say)]


def fault(pool: DecoderPool, name: str, odd: Odd) -> str:
    """What is not as it has to be with one file, in words; empty where all is."""
    memory, begun = start(), time.process_time()
    try:
        photo: Photo | None = pool.read_photo(odd.data, name)
        said = ""
    except ImageError as refusal:
        photo, said = None, str(refusal)
    except BaseException as other:
        return f"{name}: {type(other).__name__}: {other}"[:LONGEST]
    seconds, growth = time.process_time() - begun, peak() - memory
    if seconds > SECONDS or growth > GROWTH:
        return f"{name}: {seconds:.1f} s and {growth / 2**20:.0f} MB"
    if photo is None:
        if odd.size:
            return f"{name}: a photo of {odd.size} was refused: {said}"
        clear = said.startswith(name) and said.endswith(".") and "\n" not in said and len(said) < LONGEST
        return "" if clear else f"{name}: no clear sentence: {said!r}"
    if odd.size is None:
        return f"{name}: it was read, {photo.size}"
    wrong = photo.image.mode != "RGB" or max(photo.size) > WORKING_SIDE or (odd.size and photo.size != odd.size)
    return f"{name}: {photo.image.mode} {photo.size} where {odd.size} is right" if wrong else ""


def look_at(files: dict[str, Odd]) -> list[str]:
    """All faults of these files."""
    pool = DecoderPool()
    try:
        return [words for name, odd in files.items() if (words := fault(pool, name, odd))]
    finally:
        pool.close()


@st.composite
def fuzzed(draw: st.DrawFn) -> bytes:
    """A file of the corpus with some bytes changed, cut out, doubled, or taken from another file."""
    files = [odd.data for odd in corpus().values() if len(odd.data) < 20_000]
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        # Most of what a decoder believes stands at the beginning.
        at = min(draw(st.one_of(st.integers(0, 64), st.integers(0, 20_000))), len(data))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(("change", "number", "cut", "double", "join", "end"))):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case "number":
                number = draw(st.sampled_from(NUMBERS))
                data[at : at + len(number)] = number
            case "cut":
                del data[at : at + length]
            case "double":
                data[at:at] = data[at : at + length] * draw(st.integers(1, 40))
            case "join":
                data[at:] = draw(st.sampled_from(files))[at:]
            case _:
                del data[at:]
    return bytes(data)


def fuzz(photos: int, folder: Path, say: Say = lambda _: None, piece: int = PIECE) -> list[str]:
    """So many fuzzed photos in pieces of their own; `folder` remembers which are done, and keeps what was wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "pieces.json"
    done: dict[str, list[str]] = json.loads(note.read_text()) if note.exists() else {}
    pool, begun = DecoderPool(), time.monotonic()
    try:
        for number in range(-(-photos // piece)):
            key = f"{number} of {piece}"
            if key not in done:
                done[key] = _piece(pool, number, min(piece, photos - number * piece), folder)
                note.write_text(json.dumps(done))
                if number % 10 == 9:
                    say(f"{(number + 1) * piece} fuzzed photos after {time.monotonic() - begun:.0f} s")
    finally:
        pool.close()
    return [words for faults in done.values() for words in faults]


def _piece(pool: DecoderPool, number: int, count: int, folder: Path) -> list[str]:
    """One piece: always the same photos, for the number is the seed. What was wrong is made small and written down."""
    last: dict[str, bytes] = {}

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(fuzzed())
    def photo_or_sentence(data: bytes) -> None:
        if words := fault(pool, "photo", Odd(data, ())):
            last["words"], last["data"] = words.encode(), data
            raise AssertionError(words)

    try:
        photo_or_sentence()
    except AssertionError:
        (folder / f"fault-{number}.bin").write_bytes(last["data"])
        return [f"piece {number}: {last['words'].decode()}"]
    return []
