"""Benchmark runs on a tiny network: what a table says, going on after a stop, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.checkpoints.store import save
from inception_model.cli import main
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.training.data import LabelledImages, open_dataset
from inception_model.trust.benchmark import (
    METRICS,
    RIVALS,
    BenchmarkError,
    Protocol,
    plan,
    read_table,
    require_same_network,
    run,
    running,
    table_path,
    tabulate,
)
from inception_model.trust.benchmark.records import MANIFEST, RESULTS, ImageRecord, Store
from inception_model.trust.benchmark.running import Plan
from inception_model.trust.benchmark.table import Table
from inception_model.trust.benchmark.writing import as_csv, markdown, text, write_tables
from inception_model.trust.intervals import bootstrap_interval
from tests.random_networks import with_small_input

QUICK = Protocol(steps=2, removed=(0.5,))


@pytest.fixture(scope="module")
def tiny_classifier(tiny_classifier: Classifier) -> Classifier:
    """The one that all tests share, on smaller images: what a run keeps and a table says is the same."""
    return with_small_input(tiny_classifier)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of noise in classes of the tiny network; the second one is broken."""
    random = np.random.default_rng(0)
    data = tmp_path_factory.mktemp("benchmark") / "data"
    for label in range(5):
        path = data / "validation" / f"n{label:08d}" / "0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(random.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(path)
    (data / "validation" / "n00000001" / "0.png").write_bytes(b"no image")
    return data


@pytest.fixture(scope="module")
def images(folder: Path, tiny_classifier: Classifier) -> LabelledImages:
    return open_dataset(folder, "validation", tiny_classifier.checkpoint.labels)


@pytest.fixture(scope="module")
def quick(tiny_classifier: Classifier) -> Plan:
    return plan(tiny_classifier, ("gradcam", "saliency"), ("aux1", "main"), protocol=QUICK)


@pytest.fixture(scope="module")
def whole(
    tiny_classifier: Classifier,
    images: LabelledImages,
    quick: Plan,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """A run over all images, three at a time, that nobody stopped: to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "CHUNK", 3)
        return run(tiny_classifier, images, folder, quick, tmp_path_factory.mktemp("whole") / "out")


def marks(store: Store) -> dict[int, object]:
    """Everything but the times."""
    return {index: (r.image, r.targets, r.marks, r.error) for index, r in store.read().items()}


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(
    tiny_classifier: Classifier, images: LabelledImages, quick: Plan, whole: Store, folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(running, "CHUNK", 3)
    stop = threading.Event()
    told: list[int] = []

    def stop_after_two(done: int, total: int) -> None:
        told.append(done)
        if done == 2:
            stop.set()

    with pytest.raises(Cancelled):
        run(tiny_classifier, images, folder, quick, tmp_path / "parts", progress=stop_after_two, cancel=stop)
    results = tmp_path / "parts" / RESULTS
    half = results.read_text()
    assert len(half.splitlines()) == 2
    results.write_text(half + whole.results.read_text().splitlines()[3][:50])  # killed while writing
    parts = run(tiny_classifier, images, folder, quick, tmp_path / "parts", progress=lambda d, _: told.append(d))
    assert results.read_text().startswith(half), "what was there is kept"
    assert marks(parts) == marks(whole)
    assert told == [1, 2, 3, 4, 5, 5]
    before = results.read_text()
    run(tiny_classifier, images, folder, quick, tmp_path / "parts")
    assert results.read_text() == before


def test_the_table_has_means_intervals_rivals_and_the_broken_image(whole: Store, tmp_path: Path) -> None:
    table = tabulate(whole.manifest, whole.read())
    assert table.images == 4
    assert len(table.broken) == 1
    assert table.broken[0].startswith("validation/n00000001/0.png: ")
    names = ["gradcam", "saliency", *RIVALS]
    assert [(row.method, row.head) for row in table.rows] == [(n, h) for h in ("aux1", "main") for n in names]
    good = [record for record in whole.read().values() if record.error is None]
    for row in table.rows:
        assert (row.images, row.empty) == (4, 0)
        assert set(row.cells) == set(METRICS)
        assert (row.seconds is None) is row.rival
        for metric, cell in row.cells.items():
            values = [record.marks[row.method][row.head].values[metric] for record in good]  # type: ignore[union-attr]
            assert cell.mean == pytest.approx(np.mean(values), rel=1e-9)
            assert (cell.low, cell.high) == bootstrap_interval(values, 0)
            assert row.method not in cell.beats
        ends = [float(np.mean([r.marks[row.method][row.head].insertion[-1] for r in good]))]  # type: ignore[union-attr]
        assert row.curves["insertion"][-1:] == pytest.approx(ends, rel=1e-9)
    write_tables(table, tmp_path)
    assert read_table(tmp_path / "table.json") == table
    assert table.broken[0] in "\n".join(markdown(table))
    assert len(as_csv(table).splitlines()) == 1 + len(table.rows) * len(METRICS)


def test_the_target_is_the_heads_own_answer_or_the_label(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path
) -> None:
    for aim in ("predicted", "true"):
        chosen = plan(tiny_classifier, ("gradcam",), ("main",), aim, QUICK)  # type: ignore[arg-type]
        one = images.take([4])
        last = run(tiny_classifier, one, folder, chosen, tmp_path / aim).read()[0]
        answer = int(tiny_classifier.heads_of(tiny_classifier.prepare(one[0][0])).main.argmax())
        assert last.targets == {"main": answer if aim == "predicted" else 4}


def test_empty_maps_are_counted_and_left_out(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def empty(_: Classifier, x: torch.Tensor, methods: tuple[str, ...], *__: object, **___: object) -> dict:
        maps = torch.rand(len(x), 7, 7)
        maps[0] = 0
        return dict.fromkeys(methods, maps)

    monkeypatch.setattr(running, "heatmaps", empty)
    chosen = plan(tiny_classifier, ("gradcam", "saliency"), ("main",), protocol=QUICK)
    store = run(tiny_classifier, images, folder, chosen, tmp_path / "out")
    table = tabulate(store.manifest, store.read())
    assert [(row.images, row.empty) for row in table.of("main")] == [(3, 1)] * 2 + [(4, 0)] * 3
    assert "Saliency (gradient) at main: 1" in "\n".join(markdown(table))


def test_rivals_are_measured_alike_by_one_pass_for_all_heads(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path
) -> None:
    both = plan(tiny_classifier, (), ("aux1", "main"), protocol=QUICK)
    alone = plan(tiny_classifier, (), ("main",), protocol=QUICK)
    one = run(tiny_classifier, images.first(1), folder, both, tmp_path / "both").read()[0]
    other = run(tiny_classifier, images.first(1), folder, alone, tmp_path / "alone").read()[0]
    for rival in RIVALS:
        found, wanted = one.marks[rival]["main"], other.marks[rival]["main"]
        assert found is not None
        assert wanted is not None
        assert list(found.values.values()) == pytest.approx(list(wanted.values.values()), rel=1e-3)


def test_another_checkpoint_other_settings_and_other_data_are_refused(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path
) -> None:
    chosen = plan(tiny_classifier, (), ("main",), protocol=QUICK)
    images = images.first(2)
    run(tiny_classifier, images, folder, chosen, tmp_path / "out")
    other = replace(tiny_classifier, checkpoint=replace(tiny_classifier.checkpoint, sha256="f" * 64, name="other"))
    with pytest.raises(BenchmarkError, match=r"differs: checkpoint random .* instead of other \(ffffffffffff\)"):
        run(other, images, folder, chosen, tmp_path / "out")
    finer = plan(tiny_classifier, (), ("main",), protocol=Protocol(steps=3, removed=(0.5,)))
    with pytest.raises(BenchmarkError, match=r"steps 2 instead of 3\. Name another folder"):
        run(tiny_classifier, images, folder, finer, tmp_path / "out")
    with pytest.raises(BenchmarkError, match=r"another list of images \(2 instead of 1\)"):
        run(tiny_classifier, images.first(1), folder, chosen, tmp_path / "out")
    (tmp_path / "out" / MANIFEST).unlink()
    with pytest.raises(BenchmarkError, match="no manifest"):
        run(tiny_classifier, images, folder, chosen, tmp_path / "out")


def test_a_full_disk_is_one_sentence_and_costs_nothing_that_was_done(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = plan(tiny_classifier, (), ("main",), protocol=QUICK)
    images = images.first(4)
    sync = os.fsync
    calls = iter([None, None, errno.ENOSPC])

    def fills_up(file: int) -> None:
        if number := next(calls):
            raise OSError(number, os.strerror(number))
        sync(file)

    monkeypatch.setattr(os, "fsync", fills_up)
    with pytest.raises(BenchmarkError, match="is full: what was measured so far is kept"):
        run(tiny_classifier, images, folder, chosen, tmp_path / "out")
    monkeypatch.setattr(os, "fsync", sync)
    store = run(tiny_classifier, images, folder, chosen, tmp_path / "out")
    assert list(store.read()) == [0, 1, 2, 3]


def test_damaged_files_are_named(
    tiny_classifier: Classifier, images: LabelledImages, folder: Path, tmp_path: Path
) -> None:
    chosen = plan(tiny_classifier, (), ("main",), protocol=QUICK)
    store = run(tiny_classifier, images.first(1), folder, chosen, tmp_path / "out")
    with store.results.open("a") as file:
        file.write('{"index": 7}\n')
    with pytest.raises(BenchmarkError, match="line 2 is damaged"):
        store.read()
    (tmp_path / "out" / MANIFEST).write_text("[]")
    with pytest.raises(BenchmarkError, match="no manifest of a benchmark"):
        run(tiny_classifier, images.first(1), folder, chosen, tmp_path / "out")
    for content in ("", "[]", '{"format": 99}', '{"format": 1, "rows": [{}]}'):
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(BenchmarkError, match=r"wrong\.json"):
            read_table(tmp_path / "wrong.json")
    with pytest.raises(BenchmarkError, match="none of 1 images"):
        tabulate(store.manifest, {0: ImageRecord(0, "a.png", {}, {}, {}, 0.0, "broken")})


def test_the_command_makes_a_folder_and_refuses_another_checkpoint(
    tiny_classifier: Classifier, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "tiny.safetensors"
    save(tiny_classifier.checkpoint, checkpoint)
    words = ["benchmark", str(folder), "--checkpoint", str(checkpoint), "--device", "cpu", "--limit", "3"]
    words += ["--methods", "gradcam", "--head", "main", "--steps", "2", "--removed", "50"]
    words += ["--out", str(tmp_path / "out")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "image centre" in out
    assert "2 images, 1 more couldn't be read" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json", "results.jsonl", "table.csv", "table.json", "table.md"
    ]  # fmt: skip
    table = read_table(tmp_path / "out" / "table.json")
    assert "\n".join(text(table)) in out
    require_same_network(table, replace(tiny_classifier.checkpoint, sha256=table.manifest.checkpoint))
    with pytest.raises(BenchmarkError, match="measured on other weights"):
        require_same_network(table, tiny_classifier.checkpoint)
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
    assert table_path(checkpoint) == tmp_path / "tiny.benchmark.json"
    state = {name: tensor + 1 for name, tensor in tiny_classifier.checkpoint.state.items()}
    save(replace(tiny_classifier.checkpoint, state=state), checkpoint)
    assert main(words) == 2
    assert "instead of tiny" in capsys.readouterr().err


def test_a_row_beats_a_rival_by_its_paired_difference(whole: Store) -> None:
    """Everywhere a little better than a rival, though the images differ by far more than that."""
    table = shifted(whole)
    cells = {row.method: row.cells["insertion"] for row in table.of("main")}
    assert cells["gradcam"].low < cells["random_pixels"].high, "the intervals overlap"
    assert cells["gradcam"].beats == ("random_pixels",)
    assert not cells["gradcam"].beats_all


def test_few_images_beat_nothing_and_one_has_no_interval(whole: Store) -> None:
    few = shifted(whole, 9)
    assert {row.cells["insertion"].beats for row in few.rows} == {()}
    assert shifted(whole, 10).rows[0].cells["insertion"].beats == ("random_pixels",)
    assert "Fewer than 10 images: no row is called better than another." in markdown(few)
    one = shifted(whole, 1)
    assert one.few.endswith("One image has no interval.")
    assert one.few in markdown(one)
    line = next(line for line in markdown(one) if line.startswith("| GradCAM"))
    assert "[" not in line
    assert "[" in next(line for line in markdown(few) if line.startswith("| GradCAM"))
    assert as_csv(one).splitlines()[1].split(",")[4:7] == ["", "", ""]


def shifted(store: Store, images: int = 20) -> Table:
    """So many images that differ by more than the methods do."""
    first = store.read()[0]
    plain = first.marks["gradcam"]["main"]
    assert plain is not None
    records = {}
    for index in range(images):
        shifts = {"gradcam": 0.01, "saliency": 0.0, "random_pixels": 0.0, "random_cells": 0.02, "centre": 0.03}
        moved = {
            name: dict.fromkeys(
                first.marks[name], replace(plain, values=plain.values | {"insertion": index / 20 + shift})
            )
            for name, shift in shifts.items()
        }
        records[index] = replace(first, index=index, marks=moved)
    return tabulate(store.manifest, records)
