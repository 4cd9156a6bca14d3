"""Each promise of SECURITY.md names a test that exists, and its numbers are the code's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from inception_model.checkpoints import limits as of_weights
from inception_model.images import decoder_pool, limits
from tests.checkpoints.hostile import GROWTH, SECONDS

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text()


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = SECURITY.partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert found, title
    return found


LEAST = {"Promises and their tests": 10, "What a photo may cost": 15, "What a weight file may cost": 9}
"""Headings, and how many promises stand under each at least."""


@pytest.mark.parametrize(("title", "least"), LEAST.items())
def test_every_promise_names_a_test_that_exists(title: str, least: int) -> None:
    tests = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    promises = re.split(r"^- ", section(title), flags=re.MULTILINE)[1:]
    assert len(promises) >= least
    for promise in promises:
        named = re.findall(r"`(test_\w+)`", promise)
        assert named, promise
        assert set(named) <= tests, promise


def test_the_numbers_are_the_ones_in_the_code() -> None:
    words = " ".join(section("What a photo may cost").split())
    for promised in (
        f"at most {limits.MAX_SCANS} scans",
        f"more than {limits.MAX_SIDE:,} pixels",
        f"at most {limits.MAX_PIXELS / 1e6:.0f} million pixels",
        f"at most {limits.PIXELS_AT_ONCE['WEBP'] // 10**6} million",
        f"AVIF {limits.PIXELS_AT_ONCE['AVIF'] // 10**6} million",
        f"at most {limits.MAX_MEMORY * 5 // 6 // 2**20} MB of coefficients",
        f"to at most {limits.MAX_TEXT // 2**20} MB, all together to {limits.MAX_METADATA // 2**20} MB",
        f"Decoding takes at most {limits.MAX_MEMORY // 2**20} MB",
        f"more than {decoder_pool.PROCESSOR_SECONDS:g} seconds",
        f"After {decoder_pool.CLOCK_SECONDS:g} seconds",
    ):
        assert promised in words, promised
    assert decoder_pool.PROCESSES == 2


def test_the_numbers_for_weight_files_are_the_ones_in_the_code() -> None:
    words = " ".join(section("What a weight file may cost").split())
    for promised in (
        f"within {SECONDS:g} seconds of a processor and {GROWTH / 1e6:.0f} MB",
        f"A file has at most {of_weights.MAX_FILE / 1e6:,.0f} MB",
        f"at most {of_weights.MAX_TENSORS:,} and take at most {of_weights.MAX_DATA / 1e6:.0f} MB",
        f"header has at most {of_weights.MAX_HEADER // 2**20} MB",
        f"torch file {of_weights.MAX_PICKLE // 2**20} MB and {of_weights.MAX_OPCODES:,} steps",
        f"a Caffe file {of_weights.MAX_FIELDS:,} fields and {of_weights.MAX_LAYERS:,} layers",
        f"beside the weights at most {of_weights.MAX_BESIDE // 2**20} MB",
        f"more than {of_weights.MAX_MACS / 1e6:,.0f} million multiply-adds",
    ):
        assert promised in words, promised
