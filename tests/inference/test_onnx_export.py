"""The exported network says in onnxruntime what the library says, and carries what is known about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inception_model.architecture.spec import NetworkSpec
from inception_model.architecture.variants import chain_blocks, get_spec, tiny
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.cli import main
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.onnx_export import MAPS, ExportError, adaptive_matrix, export
from inception_model.inference.trace import Trace, capture
from tests.compare import relative_norm
from tests.random_networks import noise_images, random_classifier

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def answers(path: Path, x: torch.Tensor) -> dict[str, torch.Tensor]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, {"image": x.contiguous().numpy()})
    return {name: torch.from_numpy(np.asarray(value)) for name, value in zip(names, found, strict=True)}


def said(trace: Trace) -> dict[str, torch.Tensor]:
    maps = {f"{name}/{node}": block.node(node) for name, block in trace.blocks.items() for node in MAPS}
    return {**{head: trace.logits(head) for head in trace.heads.present}, **maps}


def narrow(name: str) -> NetworkSpec:
    """A published variant with its own stem, pools, kernels and heads, but narrow modules."""
    from dataclasses import replace

    spec = get_spec(name, 7)
    widths = {b.name: (b.one, b.three_reduce, b.three, b.five_reduce, b.five, b.pool_proj) for b in tiny().blocks}
    blocks = chain_blocks(widths, 12, five_kernel=spec.blocks[0].five_kernel)
    aux = tuple(replace(head, conv=8, fc=16) for head in spec.aux)
    return replace(spec, stem=replace(spec.stem, conv1=4, conv2_reduce=4, conv2=12), blocks=blocks, aux=aux)


def test_every_output_of_the_bundled_network_on_a_photo(
    bundled_classifier: Classifier, cat: Photo, tmp_path: Path
) -> None:
    x = bundled_classifier.preprocessing(cat.image)
    wanted = said(capture(bundled_classifier, x))
    found = answers(export(bundled_classifier, tmp_path / "new" / "net.onnx", branches=True), x)
    assert len(found) == 3 + 63
    assert set(found) == set(wanted)
    apart = {name: relative_norm(value, wanted[name]) for name, value in found.items()}
    assert max(apart.values()) < 1e-4, max(apart, key=apart.__getitem__)


@pytest.mark.parametrize("name", ["paper", "batchnorm", "torchvision", "inception5h", "tiny"])
def test_every_variant_in_batches(name: str, tmp_path: Path) -> None:
    classifier = random_classifier(narrow(name))
    path = export(classifier.checkpoint, tmp_path / "net.onnx", branches=True)
    for count in (1, 2):
        x = noise_images(count)
        wanted, found = said(capture(classifier, x)), answers(path, x)
        assert set(found) == set(wanted)
        assert ("aux1" in found) is (name != "inception5h")
        for output, value in found.items():
            assert value.shape == wanted[output].shape
            assert relative_norm(value, wanted[output]) < 1e-4, output


@pytest.mark.parametrize(("side", "places"), [(14, 4), (15, 4), (4, 4), (7, 4), (7, 1)])
def test_the_windows_are_those_of_the_adaptive_pool(side: int, places: int) -> None:
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(side))
    matrix = torch.from_numpy(adaptive_matrix(side, places))
    assert relative_norm(matrix.T @ x @ matrix, nn.functional.adaptive_avg_pool2d(x, places)) < 1e-6


def test_the_four_windows_of_the_paper_s_size() -> None:
    windows = [np.flatnonzero(column) for column in adaptive_matrix(14, 4).T]
    assert [(int(w[0]), int(w[-1]) + 1) for w in windows] == [(0, 4), (3, 7), (7, 11), (10, 14)]


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    classifier = random_classifier(tiny(), trained=("main",))
    checkpoint: Checkpoint = classifier.checkpoint
    made = onnx.load(export(classifier, tmp_path / "net.onnx"))
    onnx.checker.check_model(made, full_check=True)
    props = {entry.key: entry.value for entry in made.metadata_props}
    assert [row["words"] for row in json.loads(props["labels"])] == [label.words for label in checkpoint.labels]
    assert json.loads(props["preprocessing"])["size"] == checkpoint.preprocessing.size
    assert json.loads(props["heads_trained"]) == ["main"]
    assert json.loads(props["heads_untrained"]) == ["aux1", "aux2"]
    assert props["note"].startswith("aux1, aux2: never trained")
    assert props["source"] == checkpoint.source
    assert [entry.name for entry in made.graph.output] == ["main", "aux1", "aux2"]
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_what_stands_in_the_way_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = random_classifier(tiny()).checkpoint
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="can't be written"):
        export(checkpoint, tmp_path / "file" / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"pip install -r .*requirements-export\.txt"):
        export(checkpoint, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "net.onnx"
    assert main(["export", "--out", str(out), "--branches", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["maps"] == 63
    assert len(onnx.load(out).graph.output) == 66
    assert main(["export", "--out", str(tmp_path / "net.pt")]) == 2
    assert ".onnx" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "--out", str(out)]) == 2
    assert "requirements-export.txt" in capsys.readouterr().err
