"""Mosaics: maps with known shares, photos of known colours in known places, and a data set with a known network."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.architecture.network import Heads
from inception_model.architecture.variants import paper
from inception_model.checkpoints.store import save
from inception_model.cli import main
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.training.data import DatasetError, LabelledImages, open_dataset
from inception_model.trust.measuring import Results, measure
from inception_model.trust.mosaic import Deck, Mosaics, QuadrantJudge, quadrant
from tests.compare import relative_norm
from tests.random_networks import random_classifier


def painted(shares: list[float], side: int = 8) -> torch.Tensor:
    """A map whose quadrants hold these amounts, each on one pixel, with a negative value beside each."""
    heatmap = torch.zeros(side, side)
    for number, share in enumerate(shares):
        box = quadrant(number, side)
        heatmap[int(box.top) + 1, int(box.left) + 2] = share
        heatmap[int(box.top) + 2, int(box.left) + 2] = -9.0
    return heatmap


def test_focus_is_the_share_of_what_is_positive_in_the_targets_quadrants() -> None:
    heatmap = painted([0.4, 0.3, 0.2, 0.1])
    for quadrants, focus, hit in (((0, 3), 0.5, 1), ((1, 2), 0.5, 0), ((0,), 0.4, 1), ((3,), 0.1, 0), ((2, 3), 0.3, 0)):
        assert QuadrantJudge(quadrants).of(heatmap) == (pytest.approx(focus, rel=1e-6), hit)
    assert QuadrantJudge((0, 3)).focus(-heatmap.abs()) is None


def test_a_map_that_is_the_same_everywhere_points_nowhere() -> None:
    assert QuadrantJudge((0, 1)).of(torch.ones(6, 6)) == (pytest.approx(0.5), 0)
    assert QuadrantJudge((0,)).of(torch.zeros(6, 6)) == (None, 0)


def test_focus_beside_sums_of_slices_also_where_a_cell_lies_on_the_seam() -> None:
    heatmap = torch.randn(14, 14, generator=torch.Generator().manual_seed(1))
    positive = heatmap.clamp(min=0).double().numpy()
    parts = [positive[:7, :7], positive[:7, 7:], positive[7:, :7], positive[7:, 7:]]
    for number, part in enumerate(parts):
        found = QuadrantJudge((number,)).focus(heatmap)
        assert found == pytest.approx(part.sum() / positive.sum(), rel=1e-9)
    middle = torch.zeros(7, 7)
    middle[3, 3] = 1.0  # half of this row and column lie on either side
    assert [QuadrantJudge((number,)).focus(middle) for number in range(4)] == [0.25] * 4
    assert [QuadrantJudge((number,)).of(middle)[1] for number in range(4)] == [0.25] * 4
    seam = torch.zeros(7, 7)
    seam[1, 3] = 1.0
    assert [QuadrantJudge((number,)).of(seam)[1] for number in range(4)] == [0.5, 0.5, 0, 0]
    assert QuadrantJudge((0, 1)).of(seam)[1] == 1


def test_the_centre_wins_nothing() -> None:
    assert QuadrantJudge((2,)).baseline("centre", 0) == (0.25, 0.25)
    assert QuadrantJudge((2, 1)).baseline("centre", 0) == (0.5, 0.5)
    assert QuadrantJudge((2,)).baseline("even", 0) == (0.25, None)
    hits = [QuadrantJudge((2,)).baseline("random", seed) for seed in range(200)]
    assert np.mean([focus for focus, _ in hits if focus is not None]) == pytest.approx(0.25, rel=0.01)
    assert 0.15 < np.mean([hit for _, hit in hits if hit is not None]) < 0.35


def test_a_deck_deals_every_photo_that_passes_before_one_comes_again() -> None:
    deck = Deck(range(40), lambda photos: [photo % 10 == 0 for photo in photos])
    dealt = [deck.deal(2) for _ in range(3)]
    assert dealt == [[0, 10], [20, 30], [0, 10]]
    assert Deck(range(40), lambda photos: [photo == 7 for photo in photos]).deal(2) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photos in each of the tiny network's seven classes; every class has one grey of its own."""
    for label in range(7):
        for number in range(4):
            path = tmp_path / "validation" / f"n{label:08d}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (50, 40), (30 * label + 20,) * 3).save(path)
    return tmp_path


@pytest.fixture
def data(folder: Path) -> LabelledImages:
    return open_dataset(folder, "validation")


@pytest.mark.parametrize(("layout", "targets"), [("focus", 2), ("grid", 1)])
def test_the_pictures_are_what_the_layout_says(
    tiny_classifier: Classifier, data: LabelledImages, layout: str, targets: int
) -> None:
    mosaics = Mosaics(tiny_classifier, data, ("main",), layout=layout, count=21, tile=32)  # type: ignore[arg-type]
    trials = mosaics.part(0, 21)
    assert np.bincount([trial.label for trial in trials]).tolist() == [3] * 7
    assert len({trial.judge.quadrants for trial in trials}) > 2  # type: ignore[attr-defined]
    for trial in trials:
        judge = trial.judge
        assert isinstance(judge, QuadrantJudge)
        labels = [int(data.labels[photo]) for photo in trial.shows]
        assert tuple(place for place in range(4) if labels[place] == trial.label) == judge.quadrants
        assert len(set(trial.shows)) == 4
        assert len(set(labels)) == 5 - targets
        assert trial.x.shape == (1, 3, 64, 64)
        greys = mosaics.preprocessing.denormalise(trial.x)[0, 0] * 255
        for place, label in enumerate(labels):
            box = quadrant(place, 64)
            seen = greys[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
            assert relative_norm(seen, torch.full_like(seen, 30.0 * label + 20)) < 1e-5


def test_a_seed_repeats_and_another_deals_anew(tiny_classifier: Classifier, data: LabelledImages) -> None:
    def shown(seed: int, parts: list[tuple[int, int]]) -> list[tuple[int, ...]]:
        mosaics = Mosaics(tiny_classifier, data, ("main",), seed=seed, count=9, tile=32)
        return [trial.shows for start, stop in parts for trial in mosaics.part(start, stop)]

    whole = shown(3, [(0, 9)])
    assert shown(3, [(0, 4), (4, 9)]) == whole
    assert shown(3, [(5, 9)]) == whole[5:]
    assert shown(4, [(0, 9)]) != whole
    assert len(Mosaics(tiny_classifier, data, ("main",))) == 7  # one for every class


def test_only_photos_that_every_head_knows(
    tiny_classifier: Classifier, data: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that reads the grey: the last photo of every class is painted as the next class, and aux1 takes class 6
    for class 0."""
    for label in range(7):
        source = data.encoded[4 * label + 3]
        assert isinstance(source, Path)
        Image.new("RGB", (50, 40), (30 * ((label + 1) % 7) + 20,) * 3).save(source)

    def reads(classifier: Classifier, x: torch.Tensor) -> Heads:
        greys = classifier.preprocessing.denormalise(x).mean((1, 2, 3)) * 255
        answers = ((greys - 20) / 30).round().long()
        main = torch.nn.functional.one_hot(answers, 7).float()
        return Heads(torch.nn.functional.one_hot(answers % 6, 7).float(), None, main)

    monkeypatch.setattr(Classifier, "heads_of", reads)
    shown: dict[tuple[str, ...], set[int]] = {}
    for heads in (("main",), ("main", "aux1")):
        mosaics = Mosaics(tiny_classifier, data, heads, count=30, known=True, tile=32)
        shown[heads] = {photo for trial in mosaics.part(0, 30) for photo in trial.shows}
        assert mosaics.settings()["known_heads"] == list(heads)
    good = {photo for photo in range(28) if photo % 4 != 3}
    assert shown["main",] == good
    assert shown["main", "aux1"] == {photo for photo in good if photo < 24}
    blind = LabelledImages(data.encoded, (data.labels + 3) % 7)  # not one is right
    with pytest.raises(DatasetError, match="that the heads know"):
        Mosaics(tiny_classifier, blind, ("main",), known=True, tile=32).part(0, 1)


def test_too_few_classes_are_refused(tiny_classifier: Classifier, data: LabelledImages) -> None:
    with pytest.raises(DatasetError, match="too few photos of too few classes"):
        Mosaics(tiny_classifier, data.first(8), ("main",)).part(0, 1)


def test_the_papers_auxiliary_heads_say_which_tiles_they_take(data: LabelledImages) -> None:
    classifier = random_classifier(paper(classes=7))
    with pytest.raises(DatasetError, match="aux1 of this network take 224x224 pixels only: use tiles of 112"):
        Mosaics(classifier, data, ("aux1", "main"))
    trial = Mosaics(classifier, data, ("aux1",), tile=112).part(0, 1)[0]
    assert classifier.heads_of(trial.x).of("aux1").shape == (1, 7)


def test_main_averages_the_four_photos_and_adaptive_pools_keep_their_places(tiny_classifier: Classifier) -> None:
    """What the module says of 448 pixels: a photo moved to another quadrant changes an auxiliary head, not main."""
    network = tiny_classifier.network
    maps = torch.rand(1, network.spec.blocks[-1].out_channels, 7, 7, generator=torch.Generator().manual_seed(1))
    other = torch.rand(maps.shape, generator=torch.Generator().manual_seed(2))
    four = torch.cat([torch.cat([maps, other], 3), torch.cat([other, other], 3)], 2)
    moved = torch.cat([torch.cat([other, other], 3), torch.cat([other, maps], 3)], 2)
    with torch.inference_mode():
        single = (network.classify(maps) + 3 * network.classify(other)) / 4
        assert relative_norm(network.classify(four), single) < 1e-5
        assert relative_norm(network.classify(moved), single) < 1e-5
        head = network.aux_head("aux1")
        channels = network.spec.block("4a").out_channels
        tile, rest = (torch.rand(1, channels, 14, 14, generator=torch.Generator().manual_seed(n)) for n in (3, 4))
        four = torch.cat([torch.cat([tile, rest], 3), torch.cat([rest, rest], 3)], 2)
        moved = torch.cat([torch.cat([rest, rest], 3), torch.cat([rest, tile], 3)], 2)
        assert head(four).shape == (1, 7)
        assert relative_norm(head(moved), head(four)) > 1e-3


def test_the_command_stops_goes_on_and_draws_what_was_saved(
    tiny_classifier: Classifier, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, file = folder / "tiny.safetensors", folder / "found.json"
    save(tiny_classifier.checkpoint, checkpoint)
    words = ["localize", str(folder), "--checkpoint", str(checkpoint), "--device", "cpu", "--mosaic", "grid"]
    words += ["--limit", "5", "--tile", "112", "--methods", "gradcam", "--methods", "saliency", "--heads", "all"]
    words += ["--batch", "2"]
    assert main([*words, "--json"]) == 0
    at_once = json.loads(capsys.readouterr().out)
    assert (at_once["kind"], at_once["images"], at_once["tile"]) == ("grid", 5, 112)
    assert [(row["method"], row["head"]) for row in at_once["rows"]] == [
        (method, head) for head in ("aux1", "aux2", "main") for method in ("gradcam", "saliency")
    ]
    deal = Mosaics.part

    def interrupted(self: Mosaics, start: int, stop: int) -> list:
        if start >= 4:
            raise KeyboardInterrupt
        return deal(self, start, stop)

    monkeypatch.setattr(Mosaics, "part", interrupted)
    assert main([*words, "--json", str(file)]) == 130
    told = capsys.readouterr()
    assert "stopped after 4 of 5" in told.err
    assert "4 of 5 mosaics of four classes" in told.out
    assert len(json.loads(file.read_text())["records"]) == 4
    monkeypatch.setattr(Mosaics, "part", deal)
    assert main([*words, "--json", str(file)]) == 0
    capsys.readouterr()
    assert main(["localize", str(file), "--json"]) == 0
    gone_on = json.loads(capsys.readouterr().out)
    for key in ("rows", "baselines", "images", "classes", "left_out", "data_crc32"):
        assert gone_on[key] == at_once[key], key
    assert main(["localize", str(file), "--markdown"]) == 0
    assert "| image centre | none | 25.0% (25.0 to 25.0) | 25.0% (25.0 to 25.0) |" in capsys.readouterr().out
    assert main([*words, "--seed", "1", "--json", str(file)]) == 2
    assert "seed 0 there, 1 here" in capsys.readouterr().err


def test_what_does_not_go_together_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = folder / "wrong.json"
    wrong.write_text('{"rows": []}')
    for words, message in (
        (["--mosaic", "--target", "predicted"], "without --target"),
        (["--known"], "add --mosaic"),
        (["--tile", "112"], "add --mosaic"),
    ):
        assert main(["localize", str(folder), *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["localize", str(wrong)]) == 2
    assert "no result of this command" in capsys.readouterr().err


def test_cancelling_keeps_the_batches_that_are_done(
    tiny_classifier: Classifier, data: LabelledImages, tmp_path: Path
) -> None:
    file, stop = tmp_path / "found.json", threading.Event()

    def told(done: int, _: int) -> None:
        if done == 4:
            stop.set()

    mosaics = Mosaics(tiny_classifier, data, ("main",), count=6, tile=112)
    with pytest.raises(Cancelled):
        measure(tiny_classifier, mosaics, ("saliency",), ("main",), batch=2, file=file, progress=told, cancel=stop)
    kept = Results.read(file)
    assert (kept.done, len(kept.records)) == (4, 4)
    whole = measure(tiny_classifier, mosaics, ("saliency",), ("main",), batch=2)
    gone_on = measure(tiny_classifier, mosaics, ("saliency",), ("main",), batch=2, file=file)
    assert gone_on.rows() == whole.rows()
    assert not file.with_name("found.json.part").exists()
