"""The card of the bundled checkpoint: its tables are what the files beside the weights hold."""

from __future__ import annotations

import pytest

from inception_model.checkpoints.checkpoint import Checkpoint
from scripts.bundle import replaced, tables

CARD = """# name

## Accuracy
Words.

| a |
| --- |
| old |

## Other
| a |
| --- |
| old |

| b |
| --- |
| kept |
"""


def test_the_tables_of_the_card_are_those_of_the_files(bundled_checkpoint: Checkpoint) -> None:
    card = bundled_checkpoint.card
    for heading, rows in tables(bundled_checkpoint).items():
        assert replaced(card, heading, rows) == card, heading


def test_only_the_tables_below_the_heading_change() -> None:
    rows = ["| a |", "| --- |", "| new |"]
    assert replaced(CARD, "Accuracy", rows) == CARD.replace("old", "new", 1)
    assert replaced(CARD, "Other", rows) == CARD.replace("old", "new").replace("new", "old", 1)
    with pytest.raises(ValueError, match="not found"):
        replaced(CARD, "Missing", rows)
