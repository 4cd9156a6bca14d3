"""Logits become the probabilities of an answer in one place, so that no page or command forgets the temperature."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "inception_model/architecture/probabilities.py": "the one place",
    "inception_model/training/calibration.py": "fits and measures temperatures",
    "inception_model/analysis/ood.py": "a published score, of the plain softmax",
    "inception_model/trust/curves.py": "a measure of maps, comparable with published ones",
    "inception_model/trust/benchmark/running.py": "a measure of maps, comparable with published ones",
}
"""Files that may call softmax, and why."""
SOFTMAX = re.compile(r"softmax\(")


def test_softmax_is_taken_in_one_place() -> None:
    files = [path for package in ("inception_model", "app") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if SOFTMAX.search(_code(path))}
    assert found == set(ALLOWED)


def _code(path: Path) -> str:
    """Without docstrings and comments, which may speak of it."""
    return re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.S)
