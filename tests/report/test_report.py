"""What a report holds: the library's numbers, for the settings it is asked with, and what is refused."""

from __future__ import annotations

import dataclasses
import html
import io
import json
import math
import re
import threading
from importlib import metadata
from typing import Any

import pytest
import torch
from PIL import Image

from inception_model import trust
from inception_model.analysis.ablation import Ablation, ablate
from inception_model.analysis.conductance import credit_ledger, exact_split
from inception_model.analysis.probes import Probe, Probes
from inception_model.architecture.spec import UNITS
from inception_model.attribution import AttributionError, explain
from inception_model.cost.report import compute_report
from inception_model.drawing.overlay import fitted
from inception_model.images.baselines import baseline
from inception_model.images.decode import Photo, read_photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target, TargetError
from inception_model.inference.trace import capture
from inception_model.progress import Cancelled
from inception_model.report import Findings, Settings, collect, manifest, render, words
from inception_model.report.page import SIDES
from inception_model.training.evaluation import HeadAccuracy
from tests.compare import assert_close
from tests.report.pages import QUICK, pictures


def test_heads_time_line_and_costs_are_the_network_s_own(small: Classifier, photo: Photo, findings: Findings) -> None:
    trace, facts = capture(small, small.prepare(photo.image)), findings.facts
    assert facts["heads"]["aux1"] == {"after": "4a", "trained": False, "top": []}
    for head in ("aux2", "main"):
        chances = trace.logits(head)[0].double().softmax(0)
        top = facts["heads"][head]["top"]
        assert top[0]["index"] == int(chances.argmax())
        assert [answer["probability"] for answer in top] == pytest.approx(
            chances.sort(descending=True).values[:5].tolist(), rel=1e-5
        )
        for answer in top:
            assert answer["logit"] == pytest.approx(float(trace.logits(head)[0, answer["index"]]), rel=1e-5)
    line = facts["timeline"]
    assert (line["index"], [step["head"] for step in line["steps"]]) == (3, ["aux2", "main"])
    for step in line["steps"]:
        chances = trace.logits(step["head"])[0].double().softmax(0)
        assert step["probability"] == pytest.approx(float(chances[3]), rel=1e-5)
        logits = trace.logits(step["head"])[0]
        assert step["rank"] == int((logits > logits[3]).sum()) + 1
    middle = torch.stack([trace.logits(head)[0].double().softmax(0) for head in ("aux2", "main")])
    apart = torch.special.entr(middle.mean(0)).sum() - torch.special.entr(middle).sum(1).mean()
    assert_close(line["divergences"][0]["nats"], float(apart), 1e-6, scale=math.log(2))  # its largest value
    assert facts["compute"]["total"]["macs"] == compute_report(small.checkpoint.spec).total.macs


def test_ledger_maps_and_sweep_are_the_library_s(small: Classifier, photo: Photo, findings: Findings) -> None:
    facts, target = findings.facts, Target(3, 1)
    x = small.preprocessing(photo.image)
    trace = capture(small, x)
    size = float(trace.heads.main.norm())
    ledger = credit_ledger(
        small, x, baseline("blur", x, small.preprocessing), target, steps=QUICK.steps, limit=QUICK.limit
    )
    assert facts["ledger"]["gradients"] > QUICK.steps + 1, "intervals were halved"
    for row, credits in zip(facts["ledger"]["modules"], ledger.table.tolist(), strict=True):
        assert_close(list(row["branches"].values()), credits)
        assert_close(row["sum"] + row["residual"], facts["ledger"]["total"], 1e-9, scale=sum(map(abs, credits)))
    exact = facts["ledger"]["exact"]
    shares = list(exact["branches"].values())
    assert_close(shares, exact_split(small, trace, target).branches[0])
    # The branches may cancel, and the score was summed in float32 and in another order.
    assert_close(sum(shares) + exact["bias"], exact["score"], 1e-6, scale=sum(map(abs, shares)))

    assert [found["method"] for found in facts["maps"]] == list(QUICK.methods)
    for found, values in zip(facts["maps"], findings.maps, strict=True):
        options = {"steps": 4} if found["method"] == "integrated_gradients" else {}
        wanted = explain(small, x, found["method"], "main", target, baseline="blur", options=options)
        assert torch.equal(torch.from_numpy(values), wanted.heatmap)
        assert found["completeness_error"] == wanted.completeness_error
        assert (found["integration"] is None) is (wanted.integration is None)
        assert_close(found["score"], float(trace.heads.main[0, 3] - trace.heads.main[0, 1]), scale=size)
        assert [piece["name"] for piece in found["trust"]["evidence"]] == list(trust.QUICK)

    assert list(facts["ablation"]["heads"]) == ["aux2", "main"]
    off = ablate(small, trace, Ablation.parse(["4c:5x5"], small.checkpoint.spec))
    said = facts["ablation"]["heads"]["main"][4]
    assert said["module"] == "4c"
    assert_close(said["branches"]["5x5"], float(target.score(off.delta("main"))[0]), scale=size)
    assert all(not any(row["branches"].values()) for row in facts["ablation"]["heads"]["aux2"][6:])


def test_the_modules_are_the_trace_s(small: Classifier, photo: Photo, findings: Findings) -> None:
    trace = capture(small, small.prepare(photo.image))
    for said in findings.facts["modules"]:
        block = trace.block(said["module"])
        assert said["output"] == list(block.output.shape[1:])
        for kind, branch in block.branches.items():
            means = branch.output[0].double().mean((1, 2))
            known, atlas = said["branches"][kind], findings.overview[said["module"]][kind]
            assert known["strongest"][0] == int(means.argmax())
            assert known["dead"] == int((branch.output[0].flatten(1).max(1).values == 0).sum())
            assert len(atlas.order) == min(32, len(means))
            assert atlas.scale == float(block.output.max())
    assert {unit: len(atlas.order) for unit, atlas in findings.module.items()} == {
        unit: trace.block("4d").node(unit).shape[1] for unit in UNITS
    }


def test_a_report_without_maps_or_about_an_auxiliary_head(small: Classifier, photo: Photo) -> None:
    found = collect(
        small,
        photo,
        Settings(head="aux2", methods=(), steps=2, limit=0, module="5b", fill="mean-blur", checkpoint="my net.pth"),
    )
    assert [row["module"] for row in found.facts["ledger"]["modules"]] == ["3a", "3b", "4a", "4b", "4c", "4d"]
    assert found.facts["ledger"]["exact"] is None
    page = render(found, photo)
    assert "Every channel of 5b" in page
    assert "What speaks for" not in page
    assert "their mean over the blurred photo" in page
    assert "--fill mean-blur --checkpoint 'my net.pth' --device cpu" in manifest(found, photo)["command"]


@pytest.mark.parametrize("size", [(1, 2000), (1, 1), (9000, 9)])
def test_a_report_about_a_photo_as_thin_as_a_thread(small: Classifier, size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size, (0, 200, 0)).save(buffer, "PNG")
    thin = read_photo(buffer.getvalue(), "thin.png")
    found = collect(small, thin, dataclasses.replace(QUICK, options=(("steps", 2),), steps=1, limit=0, checks=()))
    drawn = pictures(render(found, thin))
    assert drawn[0].size == fitted(thin.image, SIDES["photo"]).size
    assert (found.facts["image"]["width"], found.facts["image"]["height"]) == thin.size


def test_the_manifest_names_what_computed_it(findings: Findings) -> None:
    versions = findings.facts["versions"]
    for package in ("torch", "torchvision", "captum", "numpy", "pillow", "scikit-image"):
        assert versions[package] == metadata.version(package)


def test_probes_are_read_where_there_are_some(small: Classifier, photo: Photo) -> None:
    spec, trace = small.checkpoint.spec, capture(small, small.prepare(photo.image))
    random = torch.Generator().manual_seed(7)
    probes = Probes(
        "",
        {
            name: Probe(
                torch.randn(spec.classes, spec.block(name).out_channels, generator=random) / 100,
                torch.zeros(spec.classes),
                0.1,
                HeadAccuracy(0.25, 0.5),
            )
            for name in ("3a", "5b")
        },
        90,
        45,
        "made of noise",
    )
    found = collect(small, photo, Settings(target="3", methods=(), steps=1, limit=0), probes=probes)
    for step in found.facts["timeline"]["probes"]:
        probe = probes.modules[step["module"]]
        chances = (probe.weight @ trace.block(step["module"]).output[0].mean((1, 2))).softmax(0)
        assert step["probability"] == pytest.approx(float(chances[3]), rel=1e-5)
    page = render(found, photo)
    assert "by a linear probe after each module: 3a " in page
    assert "the one after 3a is right for 25.0% of the validation images" in page


def test_progress_rises_to_the_end_and_cancelling_stops(small: Classifier, photo: Photo) -> None:
    told: list[int] = []
    quick = dataclasses.replace(QUICK, methods=("gradcam",), options=(), steps=1, limit=0)
    collect(small, photo, quick, progress=lambda done, total: told.append(done * 1000 // total))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1000)
    assert len(set(told)) > 10
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        collect(small, photo, quick, progress=lambda done, _: done > 300 and cancel.set(), cancel=cancel)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"head": "aux1"}, AttributionError, "never trained"),
        ({"methods": ("magic",)}, AttributionError, "unknown method 'magic'; allowed: saliency"),
        (
            {"options": (("paces", 3),)},
            AttributionError,
            "unknown option 'paces'; the chosen methods have: rule",
        ),
        ({"options": (("steps", 1),)}, AttributionError, "whole numbers from 2 to 1000"),
        ({"methods": ("saliency",), "options": (), "layer": "5a"}, AttributionError, "none of the chosen methods"),
        ({"layer": "6a"}, ValueError, "unknown module '6a'"),
        ({"module": "6a"}, KeyError, "allowed: 3a, 3b"),
        ({"baseline": "white"}, KeyError, "allowed: black"),
        ({"steps": 0}, ValueError, "at least 1"),
        ({"target": "unicorn"}, TargetError, "no class 'unicorn'"),
    ],
)
def test_what_is_not_there_is_said_at_once(
    small: Classifier, photo: Photo, wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    told: list[int] = []
    with pytest.raises(error, match=re.escape(said)):
        collect(small, photo, dataclasses.replace(QUICK, **wrong), progress=lambda done, _: told.append(done))
    assert told == []


def test_what_a_head_needs_most_lies_in_front_of_it(findings: Findings) -> None:
    """aux2 hangs on 4d: whatever the numbers of modules behind it say, none of them is named."""
    facts = json.loads(json.dumps(findings.facts))
    facts["settings"]["head"] = "aux2"
    for row in facts["ablation"]["heads"]["aux2"]:
        if row["module"] == "5b":
            row["branches"] = dict.fromkeys(row["branches"], -99.0)
    sentence = words.ablation(facts)
    assert "aux2 needs" in sentence
    assert "5b" not in sentence
    assert "99" not in sentence


def test_the_report_says_what_the_asked_for_checks_found(small: Classifier, photo: Photo) -> None:
    chosen = ("random logit", "sparseness")
    asked = dataclasses.replace(QUICK, target="3", methods=("gradcam",), options=(), limit=0, checks=chosen)
    found = collect(small, photo, asked)
    random, sparse = found.facts["maps"][0]["trust"]["evidence"]
    assert (random["name"], sparse["name"]) == ("random logit", "sparseness")
    assert "over 5 seeds" in random["sentence"]
    page = html.unescape(render(found, photo))
    assert random["sentence"] in page
    assert sparse["sentence"] in page
    assert "--check 'random logit' --check sparseness" in manifest(found, photo)["command"]
    with pytest.raises(KeyError, match="unknown check 'vibes'; allowed: completeness"):
        collect(small, photo, dataclasses.replace(asked, checks=("vibes",)))
