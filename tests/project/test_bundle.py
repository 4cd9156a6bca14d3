"""The card of the bundled checkpoint: its tables are what the files beside the weights hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from inception_model.checkpoints.checkpoint import Checkpoint
from scripts.bundle import all_or_none, commands, replaced, tables

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


def test_the_readme_names_accuracy_and_calibration_of_the_file(bundled_checkpoint: Checkpoint) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    every = {head: bundled_checkpoint.accuracy[head] for head in reversed(bundled_checkpoint.spec.heads)}
    assert ", ".join(f"{head} {each['top1']:.1%} / {each['top5']:.1%}" for head, each in every.items()) in readme
    assert bundled_checkpoint.calibration is not None
    sure = {head: bundled_checkpoint.calibration.heads[head] for head in every}
    said = ", ".join(f"{head} {one.before.error:.1%} and {one.after.error:.1%}" for head, one in sure.items())
    assert said in readme


@pytest.mark.parametrize(("calibrate", "count"), [(True, "5000"), (False, "0")])
def test_held_out_images_choose_only_where_the_network_never_saw_them(calibrate: bool, count: str) -> None:
    made = {words[0]: words for words in commands(Path("data"), calibrate)}
    assert ("calibrate" in made) == calibrate
    for name in ("ood", "probe"):
        assert made[name][made[name].index("--holdout") + 1] == count


def test_only_the_tables_below_the_heading_change() -> None:
    rows = ["| a |", "| --- |", "| new |"]
    assert replaced(CARD, "Accuracy", rows) == CARD.replace("old", "new", 1)
    assert replaced(CARD, "Other", rows) == CARD.replace("old", "new").replace("new", "old", 1)
    with pytest.raises(ValueError, match="not found"):
        replaced(CARD, "Missing", rows)


def test_what_fails_half_way_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    weights, card, probes = (tmp_path / name for name in ("weights", "card", "probes"))
    weights.write_text("old")
    card.write_text("old card")

    def half() -> None:
        with all_or_none([weights, card, probes]):
            weights.write_text("new")
            probes.write_text("new")
            card.unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert (weights.read_text(), card.read_text(), probes.exists()) == ("old", "old card", False)
    with all_or_none([weights, card, probes]):
        weights.write_text("new")
        probes.write_text("new")
    assert (weights.read_text(), card.read_text(), probes.read_text()) == ("new", "old card", "new")
