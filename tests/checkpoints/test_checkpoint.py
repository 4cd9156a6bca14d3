"""The bundled checkpoint and what the command line tells of it."""

from __future__ import annotations

import json

import pytest
import torch

from inception_model import cli
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import get_spec
from inception_model.checkpoints.checkpoint import ASSETS, BUNDLED, Checkpoint, file_sha256
from inception_model.checkpoints.store import load
from inception_model.images.preprocessing import TINY_IMAGENET

FILE = ASSETS / "checkpoints" / f"{BUNDLED}.safetensors"


def test_the_bundled_checkpoint_is_what_it_promises(bundled_checkpoint: Checkpoint) -> None:
    found = bundled_checkpoint
    assert found.name == BUNDLED
    assert found.spec == get_spec("batchnorm", 200)
    assert found.heads_trained == HEADS
    assert len(found.labels) == len({label.wnid for label in found.labels}) == 200
    assert found.preprocessing == TINY_IMAGENET
    assert found.source
    assert found.sha256 == file_sha256(FILE)


def test_the_bundled_file_is_small_and_in_half_precision(bundled_checkpoint: Checkpoint) -> None:
    assert FILE.stat().st_size < 30e6
    kinds = {v.dtype for k, v in bundled_checkpoint.state.items() if not k.endswith("num_batches_tracked")}
    assert kinds == {torch.float16}


def test_a_path_is_as_good_as_a_name(bundled_checkpoint: Checkpoint) -> None:
    assert load(FILE).sha256 == load(str(FILE)).sha256 == bundled_checkpoint.sha256


def test_a_network_to_ask_is_folded_and_frozen_and_one_to_train_is_neither(bundled_checkpoint: Checkpoint) -> None:
    asked, trained = bundled_checkpoint.network(), bundled_checkpoint.trainable()
    assert not asked.training
    assert trained.training
    assert not any(parameter.requires_grad for parameter in asked.parameters())
    assert all(parameter.requires_grad for parameter in trained.parameters())
    assert {parameter.dtype for parameter in asked.parameters()} == {torch.float32}
    assert asked.spec.batch_norm is None
    assert trained.spec.batch_norm == 1e-5


def test_the_command_line_shows_all_of_it(bundled_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoints", "show", BUNDLED, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["sha256"] == bundled_checkpoint.sha256
    assert shown["parameters"] == 10_925_816
    assert (shown["labels"], shown["heads_trained"], shown["true_5x5"]) == (200, list(HEADS), True)
    assert shown["preprocessing"]["size"] == shown["preprocessing"]["resize"] == 224
    assert cli.main(["checkpoints", "show", BUNDLED]) == 0
    text = capsys.readouterr().out
    assert bundled_checkpoint.sha256 in text
    assert "10,925,816" in text


def test_the_command_line_refuses_unknown_names_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoints", "show", "resnet"]) == 2
    assert capsys.readouterr().err.startswith("error: no checkpoint 'resnet': it is neither a file nor one of")
    with pytest.raises(SystemExit):
        cli.main(["checkpoints", "fetch", "resnet"])
