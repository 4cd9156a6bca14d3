"""What lies at a limit passes it, and one more is refused: each number of `limits` that SECURITY.md promises."""

from __future__ import annotations

import json
import pickletools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inception_model.architecture.variants import get_spec
from inception_model.checkpoints import limits
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.containers import read_container
from inception_model.checkpoints.runnable import require_affordable
from tests.checkpoints.hostile.safetensors_files import nothings, safetensors, zeros
from tests.checkpoints.hostile.torch_files import program, state, tensor, torch_file
from tests.weight_files import field, write

LAYER = field(4, b"a") + field(6, field(7, field(1, 1)) + field(5, bytes(4)))


def header(size: int) -> bytes:
    """A safetensors header of that many bytes."""
    text = json.dumps({"__metadata__": {"card": ""}})
    return safetensors(text.replace('""', f'"{"x" * (size - len(text))}"').encode())


PICKLE = state(tensor())


def steps(count: int) -> bytes:
    """A pickle of that many steps."""
    used = sum(1 for _ in pickletools.genops(program(PICKLE)))
    return torch_file(b"N0" * ((count - used) // 2) + b"\x80\x02" * ((count - used) % 2) + PICKLE)


def pickled(size: int) -> bytes:
    """A pickle of that many bytes: a long text before the state, which is thrown away."""
    length = size - len(program(PICKLE)) - 10
    return torch_file(b"\x8e" + length.to_bytes(8, "little") + bytes(length) + b"0" + PICKLE)


def fields(count: int) -> bytes:
    """A Caffe file of that many fields: its name, others, and a layer with five in it."""
    return field(1, b"n") + field(3, 1) * (count - 7) + field(2, LAYER)


def layers(count: int) -> bytes:
    """A Caffe file of that many layers, one of them with weights."""
    return field(1, b"n") + field(2, LAYER) + field(2, b"") * (count - 1)


AT: dict[str, tuple[Callable[[int], bytes | Callable[[Path], None]], int, int, str]] = {
    "tensors": (nothings, limits.MAX_TENSORS, 1, "2,001 tensors"),
    "bytes of header": (header, limits.MAX_HEADER, 1, "8,388,609 bytes of header"),
    "steps of a pickle": (steps, limits.MAX_OPCODES, 1, "more than 200,000 steps"),
    "bytes of a pickle": (pickled, limits.MAX_PICKLE, 1, "4,194,305 bytes of pickle"),
    "fields": (fields, limits.MAX_FIELDS, 1, "more than 200,000 fields"),
    "layers": (layers, limits.MAX_LAYERS, 1, "more than 10,000 layers"),
    "bytes of tensors": (lambda size: zeros(size // 4), limits.MAX_DATA, 4, "252 MB, at most 252 MB"),
}


@pytest.mark.parametrize("what", AT)
def test_the_limits_themselves_are_kept(what: str, tmp_path: Path) -> None:
    make, limit, more, message = AT[what]
    path = tmp_path / "file"

    def written(count: int) -> Path:
        content = make(count)
        if isinstance(content, bytes):
            return write(path, content)
        content(path)
        return path

    read_container(written(limit))
    with pytest.raises(CheckpointError, match=message):
        read_container(written(limit + more))


def test_published_networks_are_far_from_what_cannot_be_afforded() -> None:
    for name in ("paper", "batchnorm", "torchvision", "inception5h"):
        require_affordable(get_spec(name, 1000), 4 * 224)
        with pytest.raises(
            CheckpointError, match=r"would take [0-9,]+ million multiply-adds .*, at most 40,000 million"
        ):
            require_affordable(get_spec(name, 1000), 6 * 224)
    wide = replace(get_spec("paper", 1000).stem, conv1=8192, conv2_reduce=1)
    with pytest.raises(CheckpointError, match="million values between its layers, at most 100 million"):
        require_affordable(replace(get_spec("paper", 1000), stem=wide), 224)
