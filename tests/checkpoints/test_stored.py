"""Tensors that are described first and read later are those that torch and safetensors read themselves."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inception_model.checkpoints.containers import read_container
from inception_model.checkpoints.stored import all_finite
from tests.weight_files import torchvision_network

DTYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)  # fmt: skip


def odd_tensors() -> dict[str, Any]:
    """Every type; views, gaps, shared numbers, repeated ones, none at all, parameters, attributes."""
    base = torch.arange(240.0).reshape(2, 3, 5, 8)
    tagged = nn.Parameter(torch.randn(3))
    tagged.origin = "somewhere"  # type: ignore[attr-defined]
    state: dict[str, Any] = OrderedDict({str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES})
    last = base.contiguous(memory_format=torch.channels_last)
    state |= {
        "base": base, "channels last": last, "turned": base.permute(3, 1, 2, 0),
        "a part": base[1, :, 1:4, ::2], "expanded": torch.ones(1, 4).expand(3, 4), "empty": torch.empty(0, 3),
        "a number": torch.tensor(7.0), "parameter": nn.Parameter(base * 2), "tagged": tagged, "shared": base[0],
    }  # fmt: skip
    return state


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    for key, tensor in wanted.items():
        assert (found[key].dtype, found[key].shape) == (tensor.dtype, tensor.shape), key
        assert found[key].stride() == tensor.stride() or tensor.numel() < 2, key
        assert torch.equal(found[key], tensor), key


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_torch_files_hold_what_torch_reads(zipped: bool, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    torch.save(odd_tensors(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = {name: stored.read() for name, stored in read_container(path).tensors.items()}
    # Beyond protocol 2 torch's own careful reader knows too few opcodes; the file is this test's.
    assert_equal(found, torch.load(path, weights_only=protocol == 2))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_gives_its_weights_without_the_rest(zipped: bool, tmp_path: Path) -> None:
    network = torchvision_network(7, aux=False)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    optimiser.step()
    path = tmp_path / "last.pt"
    extra = {
        "size": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "raw": b"\xff",
        "set": {1},
    }
    content = {"model": network.state_dict(), "optimizer": optimiser.state_dict(), "epoch": 3, **extra}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = {name: stored.read() for name, stored in read_container(path).tensors.items()}
    assert_equal(found, torch.load(path, weights_only=True)["model"])
    assert len(found) > 300


def test_safetensors_hold_what_safetensors_reads(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in odd_tensors().items()}, path, {"a": "b"})
    raw = read_container(path)
    found = {name: stored.read() for name, stored in raw.tensors.items()}
    assert_equal(dict(sorted(found.items())), dict(sorted(load_file(path).items())))
    assert raw.metadata == {"a": "b"}


@pytest.mark.parametrize("wrong", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("at", [0, 1_500_000, 2_999_999])
def test_one_number_that_is_not_finite_is_found(wrong: float, at: int) -> None:
    tensor = torch.zeros(3_000_000, dtype=torch.float16)
    assert all_finite(tensor)
    tensor[at] = wrong
    assert not all_finite(tensor)
    assert not all_finite(tensor.reshape(3, 1000, 1000).permute(2, 0, 1))


def test_what_is_repeated_is_looked_at_once() -> None:
    endless = torch.zeros(1, 1).expand(10**9, 10**6)
    assert all_finite(endless)
    assert not all_finite((torch.zeros(1, 1) + torch.inf).expand(10**9, 10**6))
    assert all_finite(torch.empty(0, 3))
