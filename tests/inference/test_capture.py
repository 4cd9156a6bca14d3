"""Capture: torchvision's own values, exact concatenation, and safety when many threads ask one network."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn

from inception_model.architecture.spec import BRANCHES
from inception_model.checkpoints.formats import read
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import NODES, Trace, capture
from inception_model.serving.service import hook_count

Relative = Callable[[Tensor, Tensor], float]

THEIR_UNITS = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
}
"""torchvision's names for the six convolutions of a module."""


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """torchvision's GoogLeNet with random weights and random batch-norm statistics."""
    torch.manual_seed(2)
    network = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return network.eval()


def test_a_trace_equals_torchvisions_own_values(
    theirs: nn.Module, tmp_path_factory: pytest.TempPathFactory, images: Tensor, relative: Relative
) -> None:
    path = tmp_path_factory.mktemp("weights") / "googlenet.pth"
    torch.save(theirs.state_dict(), path)
    trace = capture(build(read(path), "cpu"), images[:2])
    wanted: dict[str, Tensor] = {}
    handles = []
    for name in trace.blocks:
        block = theirs.get_submodule(f"inception{name}")
        handles.append(block.register_forward_hook(lambda _, i, o, name=name: wanted.update({f"{name}/input": i[0]})))
        handles.append(block.register_forward_hook(lambda _, i, o, name=name: wanted.update({f"{name}/output": o})))
        for unit, module in THEIR_UNITS.items():
            handles.append(
                block.get_submodule(module).register_forward_hook(
                    lambda _, i, o, key=f"{name}/{unit}": wanted.update({key: o})
                )
            )
    with torch.inference_mode():
        logits = theirs(images[:2])
    assert len(wanted) == 9 * len(NODES) == len(handles)
    for name, block in trace.blocks.items():
        for node, value in block.nodes():
            assert relative(value, wanted[f"{name}/{node}"]) < 1e-5, f"{name}/{node}"
    assert relative(trace.logits("main"), logits) < 1e-5


def assert_is_concatenation(trace: Trace) -> None:
    for block in trace.blocks.values():
        assert torch.equal(torch.cat([block.branches[kind].output for kind in BRANCHES], dim=1), block.output)
        for branch in block.branches.values():
            assert torch.equal(block.output[:, branch.channels], branch.output)


def test_the_output_is_the_concatenation_and_pools_lie_between(bundled_classifier: Classifier, images: Tensor) -> None:
    trace = capture(bundled_classifier, images[:1])
    assert_is_concatenation(trace)
    names = list(trace.blocks)
    for before, after in itertools.pairwise(names):
        output = trace.block(before).output
        if before in ("3b", "4e"):
            output = nn.functional.max_pool2d(output, 3, 2, ceil_mode=True)
        assert torch.equal(output, trace.block(after).input)
    assert [block.output.shape[-1] for block in trace.blocks.values()] == [28, 28, 14, 14, 14, 14, 14, 7, 7]


def test_many_threads_with_different_images_equal_serial_results(
    tiny_classifier: Classifier, images: Tensor, relative: Relative
) -> None:
    wanted = [capture(tiny_classifier, images[i : i + 1]) for i in range(4)]
    barrier = threading.Barrier(4)
    found: dict[int, Trace] = {}

    def ask(i: int) -> None:
        barrier.wait(timeout=60)
        found[i] = capture(tiny_classifier, images[i : i + 1])

    for _ in range(5):
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            assert_is_concatenation(found[i])
            for name, block in found[i].blocks.items():
                for node, value in block.nodes():
                    assert relative(value, wanted[i].block(name).node(node)) < 1e-5, f"thread {i}, {name}/{node}"
    assert relative(wanted[0].block("5b").output, wanted[1].block("5b").output) > 0.01
    assert hook_count(tiny_classifier.network) == 0


class Stumbles(nn.Module):
    """A part that fails in the middle of a forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        raise ZeroDivisionError("on purpose")


@pytest.fixture
def stumbling(tiny_classifier: Classifier) -> Classifier:
    twin = tiny_classifier.twin()
    twin.network.block("4c").pool = Stumbles()
    return twin


def test_no_hook_stays_after_an_exception(stumbling: Classifier, images: Tensor) -> None:
    with pytest.raises(ZeroDivisionError):
        capture(stumbling, images[:1])
    assert hook_count(stumbling.network) == 0


def test_no_hook_stays_after_a_bad_input(tiny_classifier: Classifier) -> None:
    with pytest.raises(RuntimeError):
        capture(tiny_classifier, torch.zeros(1, 5, 224, 224))
    assert hook_count(tiny_classifier.network) == 0


def test_unknown_names_list_the_known_ones(tiny_classifier: Classifier, images: Tensor) -> None:
    trace = capture(tiny_classifier, images[:1])
    with pytest.raises(KeyError, match="3a, 3b, 4a"):
        trace.block("6a")
    with pytest.raises(KeyError, match="3x3_reduce"):
        trace.block("3a").node("7x7")
    with pytest.raises(KeyError, match="aux1, aux2, main"):
        trace.logits("aux3")
