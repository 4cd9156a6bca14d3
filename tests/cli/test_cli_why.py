"""The commands ablate and ledger on a real photo with the bundled checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from inception_model.analysis.ablation import FILLS, Ablation, ablate, channel_means
from inception_model.architecture.spec import BRANCHES
from inception_model.cli import main
from inception_model.images.baselines import baseline
from inception_model.images.decode import Photo, open_photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import Trace, capture
from tests.compare import assert_close


@pytest.fixture(scope="module")
def path(photo_paths: dict[str, Path]) -> str:
    return str(photo_paths["cat"])


@pytest.fixture(scope="module")
def x(bundled_classifier: Classifier, cat: Photo) -> torch.Tensor:
    return bundled_classifier.preprocessing(cat.image)


@pytest.fixture(scope="module")
def trace(bundled_classifier: Classifier, x: torch.Tensor) -> Trace:
    return capture(bundled_classifier, x)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--device", "cpu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_ablate_says_what_the_library_says(
    path: str, trace: Trace, bundled_classifier: Classifier, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "ablate", path, "--off", "4d:5x5", "--off", "5b:pool", "--top", "3")
    expected = ablate(bundled_classifier, trace, Ablation.parse(["4d:5x5", "5b:pool"], bundled_classifier.network.spec))
    assert found["sha256"] == bundled_classifier.checkpoint.sha256
    assert (found["off"], found["fill"], found["rerun"]) == (["4d:5x5", "5b:pool"], "zero", ["4e", "5a", "5b"])
    assert list(found["heads"]) == ["aux1", "aux2", "main"]
    for head, said in found["heads"].items():
        assert said["trained"] is True
        assert said["top"][0]["rank"]["before"] == 1
        for row, change in zip(said["top"], expected.top(head, 3), strict=True):
            assert row["label"] == bundled_classifier.checkpoint.label(row["index"]).words
            assert row["index"] == change.index
            assert (row["rank"]["before"], row["rank"]["after"]) == change.rank
            assert (row["probability"]["before"], row["probability"]["after"]) == pytest.approx(change.probability)
            assert_close(row["delta"], change.delta, scale=float(trace.logits(head).norm()))
    assert all(row["delta"] == 0 for row in found["heads"]["aux1"]["top"])
    assert all(row["delta"] != 0 for head in ("aux2", "main") for row in found["heads"][head]["top"])


def test_ablate_to_the_mean_of_a_reference(
    path: str,
    x: torch.Tensor,
    trace: Trace,
    bundled_classifier: Classifier,
    photo_paths: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    preprocessing = bundled_classifier.preprocessing
    espresso = str(photo_paths["espresso"])
    colour, own = baseline("mean", x, preprocessing), preprocessing(open_photo(Path(espresso)).image)
    references = {
        ("mean-blur",): baseline("blur", x, preprocessing),
        ("mean-colour",): colour,
        ("mean-colour", "--reference", espresso): own,
    }
    logits = set()
    for options, reference in references.items():
        said = answer(capsys, "ablate", path, "--off", "4e", "--fill", *options)
        assert said["fill"] == options[0]
        found = said["heads"]["main"]["top"][0]
        logits.add(found["logit"]["after"])
        ablation = Ablation.parse(["4e"], bundled_classifier.network.spec, "mean-colour")
        after = ablate(bundled_classifier, trace, ablation, channel_means(bundled_classifier, reference)).after.main
        assert_close(found["logit"]["after"], after[0, found["index"]], scale=float(after.norm()))
    assert len(logits) == 3


def test_the_table_says_what_the_channels_were_set_to(
    path: str, photo_paths: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = str(photo_paths["espresso"])
    said = {("--fill", name): kind.of_channels() for name, kind in FILLS.items()}
    for options, words in {**said, ("--fill", "mean-colour", "--reference", own): f"their mean over {own}"}.items():
        assert main(["ablate", path, "--off", "5b", *options, "--device", "cpu"]) == 0
        assert f"5b set to {words};" in capsys.readouterr().out.partition("\n")[0]


def test_the_sweep_has_every_branch(path: str, trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    best = int(trace.logits("main").argmax())
    found = answer(capsys, "ablate", path, "--sweep")
    assert found["target"]["index"] == best
    assert list(found["sweep"]) == ["aux1", "aux2", "main"]
    for rows in found["sweep"].values():
        assert [row["module"] for row in rows] == ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
        assert all(list(row["branches"]) == list(BRANCHES) for row in rows)
    single = answer(capsys, "ablate", path, "--off", "4c:3x3", "--top", "1")["heads"]["main"]["top"][0]
    size = float(trace.logits("main").norm())
    assert_close(found["sweep"]["main"][4]["branches"]["3x3"], single["delta"], scale=size)


def test_the_ledger_closes(path: str, trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "ledger", path, "--steps", "8", "--limit", "32", "--target", "auto-3", "--baseline", "mean")
    assert 9 < found["gradients"] <= 32
    assert found["steps"] == max(row["steps"] for row in found["modules"]) > 8
    best = int(trace.logits("main").argmax())
    assert (found["target"]["index"], found["target"]["minus"]) == (best, 3)
    size = float(trace.heads.main.norm())
    assert_close(found["score"], float(trace.heads.main[0, best] - trace.heads.main[0, 3]), scale=size)
    assert found["total"] == found["score"] - found["baseline_score"]
    assert [row["module"] for row in found["modules"]] == ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
    for row in found["modules"]:
        size = sum(map(abs, row["branches"].values()))
        assert_close(row["sum"], sum(row["branches"].values()), 1e-9, scale=size)
        assert_close(row["sum"] + row["residual"], found["total"], 1e-9, scale=size)
        assert abs(row["relative_residual"]) < 0.25
        assert row["met"] is (abs(row["relative_residual"]) < 0.02)
    exact = found["exact"]
    size = sum(map(abs, exact["branches"].values()))
    assert_close(sum(exact["branches"].values()) + exact["bias"], exact["score"], 1e-6, scale=size)
    assert_close(found["modules"][-1]["residual"], 0.0, scale=size)


def test_the_ledger_of_an_auxiliary_head(path: str, trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "ledger", path, "--steps", "2", "--limit", "0", "--head", "aux1")
    assert found["baseline"] == "black"  # as on the page and in reports
    assert found["target"]["index"] == int(trace.logits("aux1").argmax())
    assert [row["module"] for row in found["modules"]] == ["3a", "3b", "4a"]
    assert "exact" not in found


def test_tables_for_readers(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["ablate", path, "--off", "5b"],
        ["ablate", path, "--sweep"],
        ["ledger", path, "--steps", "1", "--limit", "0"],
    ):
        assert main([*arguments, "--device", "cpu"]) == 0
        text = capsys.readouterr().out
        assert "{" not in text
        assert max(map(len, text.splitlines()[1:])) <= 120
        assert all(kind in text for kind in BRANCHES) or "no module ran again" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ablate", "--off", "6a"], "allowed: 3a, 3b, 4a, 4b, 4c, 4d, 4e, 5a, 5b"),
        (["ablate", "--off", "4d:7x7"], "allowed: 1x1, 3x3, 5x5, pool"),
        (["ablate", "--off", "4d:5x5:64"], "4d:5x5 has channels 0 to 63"),
        (["ablate", "--off", "4d", "--top", "0"], "--top must be at least 1"),
        (["ablate", "--off", "4d", "--reference", "x.png"], "--reference goes with --fill mean-colour"),
        (["ablate", "--off", "4d", "--fill", "mean-blur", "--reference", "x.png"], "got --fill mean-blur"),
        (["ledger", "--target", "200"], "allowed: 0 to 199"),
        (["ledger", "--target", "unicorn"], "no class 'unicorn'"),
        (["ledger", "--steps", "0"], "steps must be at least 1"),
        (["ledger", "--error", "0"], "the error must be above 0"),
    ],
)
def test_what_is_not_there_is_named(
    path: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(capsys, arguments[0], path, *arguments[1:])


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["ablate", "--off", "4d", "--fill", "grey"], tuple(FILLS)),
        (["report", "--out", "x.html", "--fill", "grey"], tuple(FILLS)),
        # The bare word meant one fill in the one command and another in the other.
        (["ablate", "--off", "4d", "--fill", "mean"], tuple(FILLS)),
        (["report", "--out", "x.html", "--fill", "mean"], tuple(FILLS)),
        (["ledger", "--head", "aux3"], ("aux1", "aux2", "main")),
        (["ledger", "--baseline", "white"], ("black", "mean", "blur")),
    ],
)
def test_unknown_choices_list_the_allowed_ones(
    path: str, arguments: list[str], allowed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([arguments[0], path, *arguments[1:]])
    said = capsys.readouterr().err
    assert all(name in said for name in allowed)
