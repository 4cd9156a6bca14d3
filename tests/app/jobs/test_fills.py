"""A fill means the same on the command line, on the page and in the report: the same numbers on the sample cat."""

from __future__ import annotations

import json
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.jobs.ablation import result_of, sweep_job
from app.state import network
from app.state.panel import Panel
from inception_model.analysis.ablation import FILLS, Ablation, Fill
from inception_model.checkpoints.store import load, save
from inception_model.cli import main
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.report import Settings, collect
from inception_model.serving.service import InferenceService
from tests.compare import assert_close


@pytest.fixture(scope="module")
def file(tiny_classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that commands, page and report can open; the small network makes no answer another one."""
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save(tiny_classifier.checkpoint, path)
    return path


@pytest.fixture(scope="module")
def classifier(file: Path) -> Classifier:
    """The network of that file."""
    return build(load(file), "cpu")


@pytest.fixture
def panel(classifier: Classifier, cat: Photo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """The cat's panel on that network."""
    service = InferenceService(classifier)
    monkeypatch.setattr(network, "service", lambda: service)
    yield Panel(cat)
    service.close()


def changes(heads: dict[str, list[dict[str, dict[str, float]]]]) -> torch.Tensor:
    """(3, 9, 4) of head -> module -> branch."""
    return torch.tensor([[list(row["branches"].values()) for row in rows] for rows in heads.values()])


@pytest.mark.parametrize("fill", FILLS)
def test_command_page_and_report_say_the_same(
    fill: Fill,
    panel: Panel,
    file: Path,
    classifier: Classifier,
    cat: Photo,
    photo_paths: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(photo_paths["cat"])
    assert (
        main(["ablate", path, "--checkpoint", str(file), "--sweep", "--fill", fill, "--device", "cpu", "--json"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    swept = sweep_job(panel, fill).compute(classifier, lambda done, total: None, threading.Event())
    facts = collect(classifier, cat, Settings(methods=(), steps=1, limit=0, fill=fill)).facts
    assert said["fill"] == swept.fill == facts["ablation"]["fill"] == facts["settings"]["fill"] == fill
    target = Target.parse("auto", classifier.checkpoint.labels, panel.trace().logits("main"))
    wanted = changes(said["sweep"])
    assert wanted.shape == (3, 9, 4)
    assert bool(wanted.any())
    assert_close(changes(swept.as_dict(target, classifier.trained_heads)), wanted)
    assert_close(changes(facts["ablation"]["heads"]), wanted)
    branch = result_of(panel, Ablation.parse(["4d:5x5"], classifier.network.spec, fill))
    size = float(panel.trace().logits("main").norm())
    assert_close(branch.delta("main")[0, target.index], swept.delta("main")[5, 2, 0, target.index], scale=size)


def test_the_fills_differ(panel: Panel, classifier: Classifier) -> None:
    found = [result_of(panel, Ablation.parse(["4d:5x5"], classifier.network.spec, fill)).after.main for fill in FILLS]
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("fill", ["mean-blur", "mean-colour"])
def test_a_report_is_made_again_by_its_command(
    fill: Fill,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "tiny.safetensors")  # a command names the file, not the folder that it lay in
    first = ["report", "cat", "--out", "first.html", "--checkpoint", "tiny.safetensors"]
    first += ["--steps", "1", "--limit", "0", "--method", "--fill", fill, "--device", "cpu"]
    assert main([*first, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["settings"]["fill"] == facts["ablation"]["fill"] == fill
    assert f"--fill {fill} " in facts["command"]
    assert main([*shlex.split(facts["command"])[3:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["settings"] == facts["settings"]
    assert_close(changes(again["ablation"]["heads"]), changes(facts["ablation"]["heads"]))
    assert f"is set to {FILLS[fill].of_channels()} in turn" in (tmp_path / "report.html").read_text()


def test_the_choice_offers_every_fill_in_its_words() -> None:
    def script() -> None:
        from app.widgets.fill_choice import fill_choice

        fill_choice()

    test = AppTest.from_function(script, default_timeout=60).run()
    assert not test.exception
    choice = test.button_group(key="ablation-fill")
    assert choice.options == [kind.words for kind in FILLS.values()]
    assert choice.value == "zero"
    for fill in reversed(FILLS):  # the default last: choosing what is chosen already changes nothing
        test.button_group(key="ablation-fill").set_value(fill).run()
        assert test.session_state["scope.option.ablation.fill"] == fill
