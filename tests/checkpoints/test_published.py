"""The published files by name: what `load` and the command line do with them, and what their cards say."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import GoogLeNet_Weights

from inception_model import cli
from inception_model.checkpoints import checkpoint
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.download import CACHE_VARIABLE, PUBLISHED, Published, fetch, local_file
from inception_model.checkpoints.store import load
from tests.checkpoints.loopback import Server, assert_tells_what_to_do
from tests.weight_files import expanded, torchvision_network


@pytest.mark.parametrize("name", PUBLISHED)
def test_loading_what_is_not_there_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(CheckpointError, match=f"python -m inception_model checkpoints fetch {name}") as caught:
        load(name)
    assert_tells_what_to_do(str(caught.value), PUBLISHED[name])


def test_the_published_hashes_are_those_in_the_files_names_and_torchvision() -> None:
    entry = PUBLISHED["torchvision-imagenet"]
    weights = GoogLeNet_Weights.IMAGENET1K_V1
    assert entry.url == weights.url
    assert entry.digest is not None
    assert entry.file_name == f"googlenet-{entry.digest[1][:8]}.pth" == weights.url.rsplit("/", 1)[1]
    published = weights.meta["_metrics"]["ImageNet-1K"]
    assert entry.accuracy["main"] == pytest.approx({"top1": published["acc@1"] / 100, "top5": published["acc@5"] / 100})
    assert abs(entry.megabytes / (weights.meta["_file_size"] * 1.048576) - 1) < 0.05


@pytest.fixture
def fetched_torchvision(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """torchvision's entry, moved to the loopback server, with a file of the published structure there."""
    torch.save(expanded(torchvision_network().state_dict()), tmp_path / "weights.pth")
    server.content = (tmp_path / "weights.pth").read_bytes()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    digest = ("sha256", hashlib.sha256(server.content).hexdigest()[:8])
    entry = replace(PUBLISHED["torchvision-imagenet"], url=server.url, digest=digest)
    monkeypatch.setitem(PUBLISHED, entry.name, entry)
    return entry


def test_the_command_line_fetches_shows_and_lists(
    fetched_torchvision: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    name = fetched_torchvision.name

    def ask(*arguments: str) -> Any:
        assert cli.main(["checkpoints", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert not ask("show", name)["available"]
    first, second = ask("fetch", name), ask("fetch", name)
    assert (first["fetched"], second["fetched"]) == (True, False)
    shown = ask("show", name)
    assert shown["sha256"] == first["sha256"] == checkpoint.file_sha256(local_file(fetched_torchvision))
    assert shown["heads_trained"] == ["main"]
    assert shown["heads_untrained"] == ["aux1", "aux2"]
    assert shown["true_5x5"] is False
    assert shown["parameters"] == 13_004_888
    assert shown["labels"] == 1000
    listed = {row["name"]: row["available"] for row in ask("list")["checkpoints"]}
    assert listed == {"tiny-imagenet": True, name: True, "caffe-imagenet": False, "inception5h": False}


def test_the_command_line_says_in_words_what_torchvisions_heads_are(
    fetched_torchvision: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(fetched_torchvision)
    for arguments in (["list"], ["show", fetched_torchvision.name]):
        assert cli.main(["checkpoints", *arguments]) == 0
        text = capsys.readouterr().out
        assert "never trained" in text
        assert "5x5 is a 3x3 convolution" in text


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_checkpoint_has_a_card_with_its_address_hash_and_limits(name: str) -> None:
    entry = PUBLISHED[name]
    assert entry.file_name in entry.card
    assert entry.digest is None or entry.digest[1] in entry.card
    assert "**Limits**" in entry.card
    assert "**Licence**" in entry.card


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_known_by_its_whole_sha256_or_comes_over_https(name: str) -> None:
    entry = PUBLISHED[name]
    if entry.digest is None:
        assert entry.url.startswith("https://")
        assert "none was ever published" in entry.card
    else:
        algorithm, digits = entry.digest
        assert algorithm == "sha256"
        assert re.fullmatch("[0-9a-f]{64}", digits)
