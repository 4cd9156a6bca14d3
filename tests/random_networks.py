"""Networks with random weights and images of noise, for tests whose truth does not depend on training."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from inception_model.analysis.probes import Probe, Probes
from inception_model.architecture.labels import Label
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import HeadName, NetworkSpec
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier, build
from inception_model.training.evaluation import HeadAccuracy


def random_classifier(spec: NetworkSpec, *, trained: tuple[HeadName, ...] | None = None) -> Classifier:
    """A network on the CPU with random weights and biases: no unit is zero by accident."""
    network = init_weights(GoogLeNet(spec), seed=3)
    generator = torch.Generator().manual_seed(4)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data.uniform_(-0.1, 0.3, generator=generator)
        elif "classifier" in name:
            parameter.data.mul_(20)
    labels = tuple(Label(index, f"n{index:08d}", f"thing {index}") for index in range(spec.classes))
    heads = spec.heads if trained is None else trained
    return build(Checkpoint("random", spec, Preprocessing(), labels, network.state_dict(), heads, "random", ""), "cpu")


SMALL = 96
"""Side of an image where 224 pixels prove no more: a sixth of the work, and every map still has cells."""


def noise_images(count: int, seed: int = 0, side: int = 224) -> Tensor:
    """(count, 3, side, side) of normal noise."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def with_small_input(classifier: Classifier) -> Classifier:
    """The same network, whose preprocessing cuts out `SMALL` pixels."""
    known = classifier.checkpoint
    preprocessing = replace(known.preprocessing, size=SMALL, resize=SMALL * 8 // 7)
    return replace(classifier, checkpoint=replace(known, preprocessing=preprocessing))


def random_probes(classifier: Classifier, sha256: str = "", seed: int = 0) -> Probes:
    """Probes with random weights that fp16 can store."""
    spec, generator = classifier.checkpoint.spec, torch.Generator().manual_seed(seed)
    modules = {}
    for depth, block in enumerate(spec.blocks):
        weight = torch.randn(spec.classes, block.out_channels, generator=generator).half().float()
        bias = torch.randn(spec.classes, generator=generator).half().float()
        modules[block.name] = Probe(weight, bias, 0.01, HeadAccuracy(0.1 + 0.05 * depth, 0.5 + 0.05 * depth))
    return Probes(sha256, modules, 42, 21, "made of noise")
