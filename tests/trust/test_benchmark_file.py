"""A benchmark's file beside the weights is untrusted: whatever it holds becomes a table or one sentence."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inception_model.checkpoints.checkpoint import ASSETS
from inception_model.trust.benchmark import BenchmarkError, read_table
from inception_model.trust.benchmark.table import to_json

BUNDLED = ASSETS / "checkpoints" / "tiny-imagenet.benchmark.json"
GOOD = json.loads(BUNDLED.read_text(encoding="utf-8"))
Change = Callable[[dict[str, Any]], object]

CHANGES: dict[str, tuple[Change, str]] = {
    "rows as text": (lambda raw: raw.update(rows="abc"), "its rows is a text"),
    "no rows": (lambda raw: raw.update(rows=[]), "rows of other heads"),
    "a row of nothing": (lambda raw: raw["rows"].append(None), "a row is nothing"),
    "100,000 rows": (lambda raw: raw.update(rows=[1] * 100_000), "its rows has 100,000 entries, at most 2,000"),
    "a mean in words": (lambda raw: cell(raw).update(mean="0.1"), "a cell's mean is a text"),
    "a mean of nothing": (lambda raw: cell(raw).update(mean=None), "a cell's mean is nothing"),
    "a mean of NaN": (lambda raw: cell(raw).update(mean=float("nan")), "no finite number"),
    "a mean of 10^400": (lambda raw: cell(raw).update(mean=10**400), "a cell's mean is too large"),
    "an interval of lists": (lambda raw: cell(raw).update(low=[0]), "a cell's low is a list"),
    "beats as text": (lambda raw: cell(raw).update(beats="all"), "a cell's beaten maps is a text"),
    "beats of numbers": (lambda raw: cell(raw).update(beats=[1]), "a map's name is a whole number"),
    "a cell that is a list": (lambda raw: raw["rows"][0]["cells"].update(insertion=[]), "a cell is a list"),
    "an unknown head": (lambda raw: raw["rows"][0].update(head="<b>"), "a row's head is another word; allowed: aux1"),
    "no head": (lambda raw: settings(raw).update(heads=[]), "names no head"),
    "one head twice": (lambda raw: settings(raw).update(heads=["main", "main"]), "or one twice"),
    "heads of lists": (lambda raw: settings(raw).update(heads=[["main"]]), "a head is a list"),
    "shares in words": (lambda raw: settings(raw).update(removed="half"), "its shares is a text"),
    "a share of a list": (lambda raw: settings(raw).update(removed=[[0.5]]), "a removed share is a list"),
    "settings of nothing": (lambda raw: raw["manifest"].update(settings=None), "its settings is nothing"),
    "settings without steps": (lambda raw: settings(raw).pop("steps"), "its settings lacks steps"),
    "a hash of 1,000 letters": (lambda raw: raw["manifest"].update(checkpoint="a" * 1000), "hash has 1,000 characters"),
    "a hash of a list": (lambda raw: raw["manifest"].update(checkpoint=["a"]), "its checkpoint's hash is a list"),
    "images in words": (lambda raw: raw.update(images="30"), "its number of images is a text"),
    "negative images": (lambda raw: raw.update(images=-1), "its number of images is -1"),
    "seconds of 1e999": (lambda raw: raw["rows"][0].update(seconds=1e308 * 10), "no finite number"),
    "a method of a list": (lambda raw: raw["rows"][0].update(method=["saliency"]), "a row's method is a list"),
    "a curve of texts": (lambda raw: raw["rows"][0]["curves"].update(insertion=["a"]), "a point of a curve is a text"),
    "a curve of 10,000 points": (lambda raw: raw["rows"][0]["curves"].update(morf=[0] * 10_000), "10,000 entries"),
    "broken images of numbers": (lambda raw: raw.update(broken=[1]), "a broken image's line is a whole number"),
    "another format": (lambda raw: raw.update(format=99), "it has format 99; this version reads 1"),
    "a format in words": (lambda raw: raw.update(format="1"), "its format is a text"),
    "more than anybody knows": (lambda raw: raw.update(more=1), "1 fields that nobody knows"),
}
TEXTS = {
    "nothing": (b"", "is no JSON"),
    "a list": (b"[]", "is a list"),
    "no text": (b"\xff\xfe", "is no JSON"),
    "5 MB": (b" " * (5 << 20), "characters, at most 4,194,304"),
    "lists 100,000 deep": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "a million values": (b"[" + b"0," * 10**6 + b"0]", "1,000,001 values, at most 400,000"),
    "a secret": (b"root:x:0:0:root:/root:/bin/sh", "is no JSON"),
}


def cell(raw: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = raw["rows"][0]["cells"]["insertion"]
    return found


def settings(raw: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = raw["manifest"]["settings"]
    return found


def told(path: Path) -> str:
    """What the refusal says: one line that names the file, not its folder."""
    with pytest.raises(BenchmarkError) as caught:
        read_table(path)
    said = str(caught.value)
    assert path.name in said
    assert str(path.parent) not in said
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("name", CHANGES)
def test_wrong_values_of_a_benchmark_are_refused(name: str, tmp_path: Path) -> None:
    change, message = CHANGES[name]
    raw = copy.deepcopy(GOOD)
    change(raw)
    (tmp_path / "x.benchmark.json").write_text(json.dumps(raw))
    assert message in told(tmp_path / "x.benchmark.json")


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_benchmark_is_refused(name: str, tmp_path: Path) -> None:
    content, message = TEXTS[name]
    (tmp_path / "x.benchmark.json").write_bytes(content)
    said = told(tmp_path / "x.benchmark.json")
    assert message in said
    assert "root:x" not in said


def test_a_good_benchmark_comes_back_as_it_was(tmp_path: Path) -> None:
    assert json.loads(to_json(read_table(BUNDLED))) == GOOD


def test_damage_anywhere_is_an_error_or_a_table(tmp_path: Path) -> None:
    whole, dice, path = BUNDLED.read_bytes(), random.Random(0), tmp_path / "x.benchmark.json"
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[dice.randrange(len(damaged))] = dice.choice(b'0"{}[],:.eE-ntf\xff ')
        path.write_bytes(damaged)
        try:
            read_table(path)
        except BenchmarkError:
            refused += 1
    assert refused > 30
