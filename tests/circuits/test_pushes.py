"""Credit of channels for a class against the logit itself, and against one module at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from inception_model.analysis.channel_effects import channel_effects
from inception_model.circuits.pushes import class_credit, strongest
from inception_model.cli import channels as command
from inception_model.cli import main
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from tests.compare import assert_close
from tests.random_networks import noise_images


def test_credit_is_the_logits_share_and_that_of_one_module_alone(exact_tiny_classifier: Classifier) -> None:
    classifier, x = exact_tiny_classifier, noise_images(2)
    credit = class_credit(classifier, x, "main", Target(3, 5))
    traces = [capture(classifier, x[:1]), capture(classifier, x[1:])]
    logits = torch.cat([trace.logits("main") for trace in traces]).double()
    gained = logits - classifier.network.classifier.bias.detach()
    wanted = (gained[:, 3] - gained[:, 5]).mean()
    assert_close(credit["5b"].sum(), float(wanted), 1e-5, scale=float(np.abs(credit["5b"]).sum()))
    alone = [
        channel_effects(classifier, trace.block("4e"), "main", [3, 5]).values["output"].numpy() for trace in traces
    ]
    assert_close(credit["4e"], np.mean([one[0] - one[1] for one in alone], axis=0), 1e-4)
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_the_strongest_of_both_directions_come_first(tiny_classifier: Classifier) -> None:
    spec = tiny_classifier.checkpoint.spec
    credit = {"4a": np.linspace(-1, 1, spec.block("4a").out_channels, dtype=np.float32), "5b": np.zeros(64, np.float32)}
    ahead, against = strongest(spec, credit, 3)
    assert [each.credit for each in ahead] == sorted((each.credit for each in ahead), reverse=True)
    assert str(ahead[0].unit) == f"4a:pool_proj:{spec.block('4a').pool_proj - 1}"
    assert (str(against[0].unit), against[0].credit) == ("4a:1x1:0", -1)
    assert strongest(spec, {"5b": credit["5b"]}) == ((), ())


def test_the_command_lists_channels(
    tiny_classifier: Classifier,
    photo_paths: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "classifier_from", lambda args: tiny_classifier)
    asked = ["channels", "thing 3", str(photo_paths["cat"]), str(photo_paths["rocket"])]
    assert main([*asked, "--json", "--count", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    x = torch.cat([tiny_classifier.prepare(command.open_photo(photo_paths[name]).image) for name in ("cat", "rocket")])
    credit = class_credit(tiny_classifier, x, "main", Target(3))
    ahead, _ = strongest(tiny_classifier.checkpoint.spec, {"5b": credit["5b"]})
    assert [each["unit"] for each in told["for"]] == [str(each.unit) for each in ahead[:2]]
    assert_close([each["credit"] for each in told["for"]], [each.credit for each in ahead[:2]], 1e-4)
    assert main([*asked[:3], "--head", "aux1", "--module", "all"]) == 0
    assert "to first order, mean of 1 image(s)" in capsys.readouterr().out
    assert main([*asked, "--head", "aux1", "--module", "5b"]) == 2
    assert "allowed: 3a, 3b, 4a, all" in capsys.readouterr().err
    assert main(["channels", "auto", asked[-1]]) == 2
    assert "name a class" in capsys.readouterr().err
