"""The index of a small folder against a computation by brute force, and what becomes of it when things go wrong."""

from __future__ import annotations

import errno
import json
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from captum.attr import LayerGradientXActivation
from scipy.stats import percentileofscore

from inception_model.analysis.probes import pooled
from inception_model.analysis.receptive_field import receptive_fields
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.cli import main
from inception_model.examples import folder as folder_module
from inception_model.examples import shards
from inception_model.examples.building import SHARES, Data, build_index
from inception_model.examples.channels import channels_of
from inception_model.examples.folder import IndexFolder, IndexFolderError
from inception_model.examples.index import Index, load_index
from inception_model.examples.mapping import place_images
from inception_model.examples.sample import SAMPLE, STEPS, outputs, packed, sampled, unpacked
from inception_model.extras import how_to_install
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture, forward_hooks
from inception_model.progress import Cancelled
from inception_model.visualization.places import Place, all_places
from tests.compare import assert_close

from .made import BROKEN, CLASSES, EACH, image_folder, small_network

TABLES = ("images", "examples", "channels", "sample", "map", "axes")
KEPT = 5
SOME = (Place("conv1"), Place("conv2_reduce"), Place("5x5_reduce", "3a"), Place("5x5", "4d"), Place("pool_proj", "5b"))


@dataclass(frozen=True)
class Built:
    """A finished index, what it was made of, and what brute force finds of the images that can be decoded."""

    classifier: Classifier
    data: Data
    out: Path
    index: Index
    numbers: list[int]
    x: torch.Tensor
    maps: dict[Place, np.ndarray]


@pytest.fixture(scope="module")
def small_shards() -> pytest.MonkeyPatch:  # type: ignore[misc]
    """Shards of five images and batches of two, so that few images make several of both."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SHARD", 5), ("BATCH", 2), ("KEPT", KEPT)):
            patch.setattr(shards, name, value)
        patch.setattr("inception_model.examples.building.KEPT", KEPT)
        yield patch


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_shards: pytest.MonkeyPatch) -> Built:
    folder = tmp_path_factory.mktemp("index")
    classifier, data = small_network(folder), Data(image_folder(folder / "data"), "validation")
    place_images(build_index(classifier, data, folder / "out"), "pca")
    index = load_index(folder / "out", classifier.checkpoint)
    images = data.open(classifier.checkpoint.labels)
    broken = [number for number, path in enumerate(images.encoded) if str(path).endswith(BROKEN)]
    numbers = [number for number in range(len(images)) if number not in broken]
    x = torch.cat([classifier.preprocessing(images[number][0]) for number in numbers])
    network, maps = classifier.checkpoint.network(), {}
    units = {str(place): network.get_submodule(place.node) for place in all_places(classifier.checkpoint.spec)}

    def keep(name: str, _: torch.Tensor, output: torch.Tensor) -> None:
        maps[name] = output.numpy()

    with torch.no_grad(), forward_hooks(units, keep):
        network(x)
    found = {place: maps[str(place)] for place in all_places(classifier.checkpoint.spec)}
    return Built(classifier, data, folder / "out", index, numbers, x, found)


def test_the_strongest_by_activation_are_those_of_brute_force(built: Built) -> None:
    fields = receptive_fields(built.classifier.checkpoint.spec)
    sizes = {number: built.data.open(built.classifier.checkpoint.labels)[number][0].size for number in built.numbers}
    seen = 0
    for place, maps in built.maps.items():
        field = fields[str(place).replace(":", "/")]
        for channel in range(maps.shape[1]):
            flat = maps[:, channel].reshape(len(maps), -1)
            peaks = flat.max(axis=1)
            wanted = [at for at in np.argsort(-peaks, kind="stable")[:KEPT] if peaks[at] > 0]
            found = built.index.examples("activation", place, channel)
            assert [example.image for example in found] == [built.numbers[at] for at in wanted]
            assert_close([example.value for example in found], peaks[wanted], scale=float(maps.max()))
            for example, at in zip(found, wanted, strict=True):
                place_of = np.unravel_index(flat[at].argmax(), maps.shape[2:])
                assert (example.row, example.column) == place_of
                seen_box = field.box(example.row, example.column, built.classifier.preprocessing.size)
                assert example.box == built.classifier.preprocessing.box_to_photo(sizes[example.image], seen_box)
                seen += 1
    assert seen > 1000


def test_the_strongest_by_relevance_are_those_of_captums_gradient_times_activation(built: Built) -> None:
    network = built.classifier.checkpoint.network()
    with torch.no_grad():
        named = network(built.x).argmax(1)
    for place in SOME:
        method = LayerGradientXActivation(network, network.get_submodule(place.node))
        pushed = method.attribute(built.x.clone().requires_grad_(True), target=named).detach().numpy()
        sums = pushed.sum(axis=(2, 3))
        for channel in range(pushed.shape[1]):
            wanted = [at for at in np.argsort(-sums[:, channel], kind="stable")[:KEPT] if sums[at, channel] > 0]
            found = built.index.examples("relevance", place, channel)
            assert [example.image for example in found] == [built.numbers[at] for at in wanted]
            assert_close([example.value for example in found], sums[wanted, channel], scale=float(np.abs(sums).max()))
            for example, at in zip(found, wanted, strict=True):
                assert_close(pushed[at, channel, example.row, example.column], pushed[at, channel].max())


def test_quantiles_are_numpys_and_means_those_of_all_positions(built: Built) -> None:
    for place, maps in built.maps.items():
        lane = built.index.channels.lanes[place]
        wanted = np.quantile(maps.max(axis=(2, 3)), SHARES, axis=0).T
        assert_close(built.index.quantiles[lane], wanted)
        assert_close(built.index.means[lane], maps.mean(axis=(0, 2, 3)))


def test_the_sample_holds_the_peaks_of_each_modules_output(built: Built) -> None:
    sample, trace = built.index.sample, capture(built.classifier, built.x)
    assert sample is not None
    assert sample.images.tolist() == built.numbers
    for module in built.classifier.checkpoint.spec.module_names:
        assert_close(sample.of(module), trace.block(module).output.amax((2, 3)).numpy(), 1e-4)
    with pytest.raises(KeyError, match="allowed: 3a, 3b"):
        sample.of("9z")


def test_an_even_choice_of_many_images_and_their_bytes() -> None:
    spec = tiny()
    peaks = np.random.default_rng(3).gamma(0.5, size=(1000, channels_of(spec).total)).astype(np.float32)
    found = sampled(spec, np.arange(1000, dtype=np.int32), peaks)
    assert (len(found.images), found.images[0], found.images[-1]) == (SAMPLE, 0, 999)
    assert set(np.diff(found.images)) == {2, 3}
    largest = peaks.max(axis=0)
    again = unpacked(spec, found.images, packed(found, largest), largest)
    columns = np.concatenate(list(outputs(spec).values()))
    assert (np.abs(again.peaks - found.peaks) <= largest[columns] / (2 * STEPS) * 1.001).all()


def test_how_strong_an_answer_is_among_the_images(built: Built) -> None:
    place = Place("3x3", "4a")
    peaks = built.maps[place][:, 2].max(axis=1).max(axis=1)
    assert built.index.share_below(place, 2, float(peaks.max()) * 1.01) == 1
    assert built.index.share_below(place, 2, -1.0) == 0
    for share in (0.1, 0.35, 0.8):
        value = float(np.quantile(peaks, share))
        assert abs(built.index.share_below(place, 2, value) - share) < 0.01
        assert abs(100 * built.index.share_below(place, 2, value) - percentileofscore(peaks, value)) < 100 / len(peaks)
    silent = np.concatenate([(maps.max(axis=(2, 3)) == 0).mean(axis=0) for maps in built.maps.values()])
    assert {0.0, 0.1, 1.0} <= set(silent.tolist())
    assert_close(built.index.silent, silent)
    number = int(np.flatnonzero(silent)[0])
    place, lane = next((place, lane) for place, lane in built.index.channels.lanes.items() if number < lane.stop)
    assert built.index.share_below(place, number - lane.start, 0.0) == 0


def test_answers_and_features_are_those_of_a_look(built: Built) -> None:
    trace = capture(built.classifier, built.x)
    table = pq.read_table(built.out / "images.parquet")
    rows = [row for row in table.to_pylist() if row["error"] is None]
    assert [row["image"] for row in rows] == built.numbers
    assert_close([row["features"] for row in rows], pooled(trace, "5b"))
    for head in HEADS:
        best = trace.probabilities(head).sort(dim=1, descending=True)
        assert [row[f"{head}_classes"] for row in rows] == best.indices.tolist()
        assert_close([row[f"{head}_probabilities"] for row in rows], best.values)
        assert built.index.answers[head][built.numbers].tolist() == best.indices[:, 0].tolist()
    assert [CLASSES[row["label"]] for row in rows] == [row["name"].split("/")[0] for row in rows]


def test_broken_images_are_counted_named_and_skipped(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    summary = IndexFolder(built.out).summary()
    assert summary is not None
    assert [name for name, _ in summary.broken] == list(BROKEN)
    assert (summary.used, len(CLASSES) * EACH) == (len(built.numbers), len(built.numbers) + len(BROKEN))
    named = {example.image for place in built.maps for example in built.index.examples("activation", place, 0)}
    assert named <= set(built.numbers)
    file = built.out.parent / "small0.safetensors"
    command = ["index", str(built.data.root), "--out", str(built.out), "--checkpoint", str(file)]
    assert main(command) == 0  # finished: nothing is computed
    told = capsys.readouterr().out
    assert "2 images could not be decoded" in told
    assert "1.png is not an image" in told or "1.png" in told
    assert main([*command, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["broken"]] == list(BROKEN)


def test_a_run_that_was_stopped_goes_on_to_the_same_tables(built: Built, tmp_path: Path) -> None:
    out, cancel, counts = tmp_path / "out", threading.Event(), []

    def progress(seen: int, total: int) -> None:
        counts.append((seen, total))
        if seen >= 6:
            cancel.set()

    with pytest.raises(Cancelled):
        build_index(built.classifier, built.data, out, progress=progress, cancel=cancel)
    kept = sorted(path.name for path in (out / "shards").iterdir())
    assert kept == ["000000"]
    (out / "shards" / "000001.77.part").mkdir()
    with pytest.raises(IndexFolderError, match="not finished"):
        load_index(out, built.classifier.checkpoint)
    again: list[int] = []
    folder = build_index(built.classifier, built.data, out, progress=lambda seen, _: again.append(seen))
    assert again[0] == 5
    assert again == sorted(again)
    place_images(folder, "pca")
    assert not (out / "shards").exists()
    for name in TABLES:
        assert pq.read_table(out / f"{name}.parquet").equals(pq.read_table(built.out / f"{name}.parquet")), name
    assert IndexFolder(out).summary() == IndexFolder(built.out).summary()


def test_a_full_disk_is_said_and_loses_nothing(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, real = [], pq.write_table

    def write(table: object, file: Path, **settings: object) -> None:
        written.append(file)
        if len(written) > 4:
            file.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, file, **settings)

    monkeypatch.setattr(folder_module.pq, "write_table", write)
    with pytest.raises(IndexFolderError, match="full: what was measured so far is kept"):
        build_index(built.classifier, built.data, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == ["000000"]
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"limit": 6}, "another list of images"), ({"split": "train"}, "split")],
)
def test_another_list_of_images_is_refused(built: Built, changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(IndexFolderError, match=sentence):
        build_index(built.classifier, Data(**{**vars(built.data), **changed}), built.out)


def test_another_checkpoint_is_refused(built: Built, tmp_path: Path) -> None:
    other = small_network(tmp_path, seed=1)
    with pytest.raises(IndexFolderError, match=f"checkpoint .*{other.checkpoint.sha256[:12]}"):
        build_index(other, built.data, built.out)
    with pytest.raises(CheckpointError, match="the index in out is about a checkpoint with sha256"):
        load_index(built.out, other.checkpoint)


def test_what_is_no_index_is_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(IndexFolderError, match=f"^{tmp_path.name} holds no index"):
        load_index(tmp_path, built.classifier.checkpoint)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(IndexFolderError, match="not empty and holds no index"):
        build_index(built.classifier, built.data, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "mine"
    copy = tmp_path / "copy"
    shutil.copytree(built.out, copy)
    (copy / "channels.parquet").write_bytes(b"PAR1")
    with pytest.raises(IndexFolderError, match=r"^copy/channels\.parquet is missing or damaged"):
        load_index(copy, built.classifier.checkpoint)
    pq.write_table(pq.read_table(built.out / "channels.parquet").slice(0, 9), copy / "channels.parquet")
    with pytest.raises(IndexFolderError, match="about 9 channels, and"):
        load_index(copy, built.classifier.checkpoint)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(IndexFolderError, match=r"^copy/manifest\.json is missing or damaged"):
        load_index(copy, built.classifier.checkpoint)


def test_only_broken_images_are_no_index(built: Built, tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "0.jpg").write_text("nothing")
    with pytest.raises(IndexFolderError, match="none of the 3 images can be decoded"):
        build_index(built.classifier, Data(tmp_path / "data", "validation"), tmp_path / "out")


def test_principal_components_are_those_of_the_singular_values(built: Built) -> None:
    features = pooled(capture(built.classifier, built.x), "5b").double().numpy()
    apart = features - features.mean(axis=0)
    _, values, axes = np.linalg.svd(apart, full_matrices=False)
    known = built.index.map
    assert known is not None
    assert known.images.tolist() == built.numbers
    for axis in range(2):
        assert_close(np.abs(known.points[:, axis]), np.abs(apart @ axes[axis]), 1e-4)
        assert_close(known.explained[axis], values[axis] ** 2 / (values**2).sum())
    for number in (0, 4):
        assert_close(known.place(features[number].astype(np.float32)), known.points[number], 1e-4)


@pytest.mark.parametrize(
    ("package", "options", "sentence"),
    [("umap", ["--map", "umap"], "needs umap-learn"), ("ray", ["--engine", "ray"], "needs Ray Data")],
)
def test_an_extra_that_is_missing_is_named(
    built: Built, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, options: list[str],
    sentence: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, package, None)
    file = built.out.parent / "small0.safetensors"
    command = ["index", str(built.data.root), "--out", str(built.out), "--checkpoint", str(file), *options]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert how_to_install(package) in told
    assert IndexFolder(built.out).summary() is not None
