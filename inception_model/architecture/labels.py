"""Classes: index, WordNet id and words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """One class: its index, its WordNet id (or folder name) and its words."""

    index: int
    wnid: str
    words: str
