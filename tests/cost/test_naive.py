"""Stacked naive modules that run: what they compute and what they cost."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from inception_model.architecture.variants import batchnorm, paper
from inception_model.architecture.weights import init_weights
from inception_model.cost.naive import NaiveNetwork
from inception_model.cost.report import compute_report
from inception_model.studies.networks import first_modules, narrowed
from tests.compare import assert_close


def test_the_network_costs_what_the_arithmetic_says() -> None:
    for spec in (paper(), first_modules(batchnorm(200)), first_modules(narrowed(batchnorm(7), 0.3))):
        with torch.device("meta"):
            network = NaiveNetwork(spec).eval()
        report = compute_report(spec, 64, "figure-2a")
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 64, 64, device="meta"))
        assert counter.get_total_flops() == 2 * report.total_naive.macs
        assert sum(p.numel() for p in network.parameters()) == report.total_naive.params_trained


def test_a_module_of_figure_2a_concatenates_three_convolutions_and_the_pooled_input() -> None:
    network = init_weights(NaiveNetwork(first_modules(narrowed(paper(5), 0.1), 1)), 3).eval()
    x = torch.randn(2, 3, 32, 32)
    given = network.stem(x)
    convolutions = [unit.conv for name, unit in network.conv_units() if name.startswith("modules_in_a_row")]
    assert [conv.kernel_size[0] for conv in convolutions] == [1, 3, 5]
    branches = [F.conv2d(given, c.weight, c.bias, padding=c.kernel_size[0] // 2).relu() for c in convolutions]
    found = torch.cat([*branches, F.max_pool2d(given, 3, 1, padding=1)], 1)
    expected = F.linear(found.mean((2, 3)), network.classifier.weight, network.classifier.bias)
    assert_close(network.forward_heads(x).main, expected, 1e-5)
