"""The command atlas: build, stop by Ctrl-C, go on, write the website; what cannot be is said."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import save
from inception_model.cli import atlas, main
from inception_model.images.decode import Photo
from inception_model.visualization import visualizing
from tests.random_networks import random_classifier

QUICK = ["--steps", "1", "--size", "32", "--side", "16", "--precision", "float32", "--device", "cpu"]
Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(random_classifier(tiny()).checkpoint, path)
    return str(path)


def test_from_weights_to_a_website(weights: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path / "cache"))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    monkeypatch.setattr(visualizing, "sample_photos", lambda: (Photo(Image.fromarray(noise), "noise", "noise"),))
    build = ["atlas", "build", "--checkpoint", weights, *QUICK]
    usual, site = atlas.build_atlas, ["atlas", "site", "--checkpoint", weights, "--out", str(tmp_path / "site")]
    assert main(site) == 2
    assert f"`inceptionscope atlas build --checkpoint {weights}` makes one" in capsys.readouterr().err

    def stopped(*args: Any, told: Any, **options: Any) -> Any:
        def at(place: Any, done: int, wanted: int) -> None:
            told(place, done, wanted)
            if done:
                signal.raise_signal(signal.SIGINT)

        return usual(*args, told=at, **options)

    monkeypatch.setattr(atlas, "build_atlas", stopped)
    before = signal.getsignal(signal.SIGINT)
    assert main([*build, "--only", "5a:1x1,3a:1x1"]) == 130
    assert signal.getsignal(signal.SIGINT) == before
    said = capsys.readouterr().out
    assert "stopped: 4 of " in said
    assert "the same command goes on" in said
    monkeypatch.setattr(atlas, "build_atlas", usual)
    assert main([*build, "--only", "5a:1x1", "--limit", "9", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["made"], answer["tiles"], answer["precision"]) == (16, 20, "float32")
    assert main([*build, "--only", "3a:1x1"]) == 0
    assert "20 of " in capsys.readouterr().out
    assert main([*site, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (tmp_path / "site" / "index.html").is_file()
    assert answer["bytes"] == sum(path.stat().st_size for path in (tmp_path / "site").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "4d:9x9"], "4d has 4d:1x1"),
        (["--only", "3a:1x1:2"], "whole units such as 3a:1x1"),
        (["--limit", "0"], "--limit must be at least 1"),
        (["--side", "64"], "16 to 32 pixels"),
        (["--size", "8"], "32 to 1024"),
        (["--seed", "1048577"], "up to 1,048,576; got 1,048,577"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    weights: str, options: list[str], said: str, tmp_path: Path, capsys: Said
) -> None:
    out = tmp_path / "atlas"
    assert main(["atlas", "build", "--checkpoint", weights, *QUICK, "--out", str(out), *options]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
