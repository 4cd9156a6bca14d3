"""What a pickle in a torch file says, read without running any of it.

Python's unpickler calls whatever a pickle names. Here nothing is called and nothing imported: the opcodes that
`torch.save` writes build plain containers, promises of tensors (`Promise`) and `Opaque` values for everything else
that torch's own `weights_only` allows. Opcodes, nesting of keys and sizes are bounded while they are read.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .checkpoint import CheckpointError
from .limits import AGAIN_WITH_TORCH, MAX_OPCODES, MAX_SIZE
from .stored import checked_sizes

STORAGES: dict[str, tuple[torch.dtype | None, int]] = {
    "DoubleStorage": (torch.float64, 8), "FloatStorage": (torch.float32, 4), "HalfStorage": (torch.float16, 2),
    "BFloat16Storage": (torch.bfloat16, 2), "LongStorage": (torch.int64, 8), "IntStorage": (torch.int32, 4),
    "ShortStorage": (torch.int16, 2), "CharStorage": (torch.int8, 1), "ByteStorage": (torch.uint8, 1),
    "BoolStorage": (torch.bool, 1), "ComplexFloatStorage": (torch.complex64, 8),
    "ComplexDoubleStorage": (torch.complex128, 16), "QInt8Storage": (None, 1), "QInt32Storage": (None, 4),
    "QUInt8Storage": (None, 1), "QUInt4x2Storage": (None, 1), "QUInt2x4Storage": (None, 1), "UntypedStorage": (None, 1),
}  # fmt: skip
"""torch's storage classes: type and bytes of a number; None: what no GoogLeNet's weights are made of."""


@dataclass(frozen=True)
class StorageRef:
    """Numbers in the file: under which key, of which type (None: one that isn't read) and size, and how many."""

    key: str
    dtype: torch.dtype | None
    item: int
    count: int


@dataclass(frozen=True)
class Promise:
    """A tensor as the pickle describes it; `storage` is None for one that is no dense array."""

    storage: StorageRef | None
    offset: int = 0
    shape: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outline:
    """A pickle's value, and every storage that it refers to by its key."""

    value: Any
    storages: dict[str, StorageRef]


class Opaque:
    """A value that plays no part in a state dict, or a name that may only be called."""

    def __init__(self, name: str = "") -> None:
        self.name = name


class _Mark:
    """Where a container's content begins on the stack."""


_MARK = _Mark()


def outline(file: io.BytesIO) -> Outline:
    """What is in the pickle that begins here; `file` stands behind it then. Raises CheckpointError."""
    try:
        machine = _Machine()
        return Outline(machine.run(file), machine.storages)
    except CheckpointError:
        raise
    except Exception as error:  # the file is untrusted: whatever is missing on the stack is the file's fault
        raise CheckpointError(
            f"its pickle is damaged or cut off ({type(error).__name__}); {AGAIN_WITH_TORCH}"
        ) from None


class _Machine:
    """The stack, the memo and what each opcode does with them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, StorageRef] = {}

    def run(self, file: io.BytesIO) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count >= MAX_OPCODES:
                raise CheckpointError(f"its pickle has more than {MAX_OPCODES:,} steps; {AGAIN_WITH_TORCH}")
            if opcode.name in _VALUES:
                self.stack.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            else:
                raise _stranger()
        (value,) = self.stack
        return value

    def since_mark(self) -> list[Any]:
        """Takes everything down to the last mark, and the mark."""
        at = next(at for at in range(len(self.stack) - 1, -1, -1) if self.stack[at] is _MARK)
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken

    def take(self, count: int) -> list[Any]:
        """Takes the last values."""
        if len(self.stack) < count:
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def set_items(self, pairs: list[Any]) -> None:
        """Puts keys and values into the dictionary on the stack. Keys are plain: hashing a nested one could recurse."""
        target = self.stack[-1]
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int | float | None | Opaque):
                raise CheckpointError(f"its pickle has a {type(key).__name__} as a key; {AGAIN_WITH_TORCH}")
            if isinstance(target, dict):
                target[key] = value

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)

    def name(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else ""
        if full not in _CALLS and full not in _NAMES and not _is_torch_type(full):
            raise _stranger()
        self.stack.append(Opaque(full))

    def reduce(self) -> None:
        """Where the unpickler would call something: a promise of a tensor, a dictionary, or nothing of interest."""
        called, arguments = self.take(2)
        if not isinstance(called, Opaque) or not isinstance(arguments, tuple):
            raise _stranger()
        self.stack.append(_CALLS[called.name](arguments) if called.name in _CALLS else Opaque())

    def refer(self) -> None:
        """Where the unpickler would ask for numbers of the file."""
        (found,) = self.take(1)
        storage = _storage(found)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise CheckpointError("it describes the same numbers in two ways; the file is damaged")
        self.stack.append(storage)


def _stranger() -> CheckpointError:
    return CheckpointError(
        "it holds more than plain tensors, which only running code of the file could make: save "
        "`model.state_dict()` instead"
    )


def _is_torch_type(full: str) -> bool:
    """A storage class, a tensor class or a number type of torch."""
    module, _, name = full.rpartition(".")
    if module in ("torch", "torch.storage", "torch.cuda") and (name in STORAGES or name.endswith("Tensor")):
        return True
    return module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)


def _storage(found: Any) -> StorageRef:
    """`("storage", class, key, location, count)`, in old files with a view behind it."""
    if not isinstance(found, tuple) or len(found) not in (5, 6) or found[0] != "storage":
        raise CheckpointError(f"its pickle refers to something that is no tensor; {AGAIN_WITH_TORCH}")
    _, kind, key, _, count = found[:5]
    if not isinstance(kind, Opaque) or not isinstance(key, str) or type(count) is not int:
        raise CheckpointError(f"its pickle describes a tensor's numbers in no known way; {AGAIN_WITH_TORCH}")
    if not 0 <= count <= MAX_SIZE:
        raise CheckpointError("a tensor of an impossible number of numbers; the file is damaged")
    if len(found) == 6 and found[5] is not None:
        raise CheckpointError(f"written by a torch before 0.4; {AGAIN_WITH_TORCH} in a newer one")
    dtype, item = STORAGES.get(kind.name.rpartition(".")[2], (None, 1))
    return StorageRef(key, dtype, item, count)


def _tensor(arguments: tuple[Any, ...]) -> Promise:
    """`_rebuild_tensor(storage, offset, shape, stride)`; what `_rebuild_tensor_v2` has beyond that moves no number."""
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, StorageRef) or type(offset) is not int or not 0 <= offset <= MAX_SIZE:
        raise CheckpointError("a tensor without a place in the file; the file is damaged")
    sizes, steps = checked_sizes(shape, "shape"), checked_sizes(stride, "strides")
    if len(sizes) != len(steps):
        raise CheckpointError(f"a tensor of {len(sizes)} dimensions and {len(steps)} strides; the file is damaged")
    return Promise(storage, offset, sizes, steps)


def _wrapped(arguments: tuple[Any, ...]) -> Promise:
    """A parameter is its tensor."""
    if not isinstance(arguments[0], Promise):
        raise CheckpointError("a parameter without a tensor; the file is damaged")
    return arguments[0]


def _typed(arguments: tuple[Any, ...]) -> Any:
    """`_rebuild_from_type_v2(function, type, arguments, state)`: a tensor that carries attributes."""
    called, _, inner = arguments[:3]
    if not isinstance(called, Opaque) or called.name not in _CALLS or not isinstance(inner, tuple):
        raise _stranger()
    if called.name.endswith("_rebuild_from_type_v2"):  # torch never nests it
        raise _stranger()
    return _CALLS[called.name](inner)


def _dictionary(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """`OrderedDict()`; what a list of pairs would put into it comes as items in every file that torch writes."""
    if arguments and arguments[0]:
        raise CheckpointError(f"its pickle fills a dictionary in an unusual way; {AGAIN_WITH_TORCH}")
    return {}


def _no_array(arguments: tuple[Any, ...]) -> Promise:
    return Promise(None)


_CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _wrapped,
    "torch._utils._rebuild_parameter_with_state": _wrapped,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch._utils._rebuild_tensor_v3": _no_array,
    "torch._utils._rebuild_qtensor": _no_array,
    "torch._utils._rebuild_sparse_tensor": _no_array,
    "torch._utils._rebuild_meta_tensor_no_storage": _no_array,
    "torch._utils._rebuild_nested_tensor": _no_array,
    "torch._utils._rebuild_wrapper_subclass": _no_array,
}
"""What a torch file may call, and what it stands for here."""

_NAMES = frozenset({
    "collections.Counter", "torch.nn.parameter.Parameter", "torch.serialization._get_layout", "torch.Size",
    "torch.Tensor", "torch.device", "_codecs.encode", "builtins.bytearray", "builtins.set", "builtins.complex",
    "__builtin__.bytearray", "__builtin__.set", "__builtin__.complex", "torch.per_tensor_affine",
    "torch.per_tensor_symmetric", "torch.per_channel_affine", "torch.per_channel_symmetric",
    "torch.per_channel_affine_float_qparams",
})  # fmt: skip
"""What it may name besides; none of it is needed for weights."""

_VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING", "STRING", "BINBYTES",
    "SHORT_BINBYTES", "BINBYTES8",
})  # fmt: skip
"""Opcodes that put their argument on the stack."""

_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "STOP": lambda machine, _: None,
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.since_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "EMPTY_SET": lambda machine, _: machine.stack.append(Opaque()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.take(3))),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "APPEND": lambda machine, _: machine.append(machine.take(1)),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.since_mark(),
    "SETITEM": lambda machine, _: machine.set_items(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "PUT": lambda machine, key: machine.put(key),
    "BINPUT": lambda machine, key: machine.put(key),
    "LONG_BINPUT": lambda machine, key: machine.put(key),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GET": lambda machine, key: machine.stack.append(machine.memo[key]),
    "BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
    "LONG_BINGET": lambda machine, key: machine.stack.append(machine.memo[key]),
    "GLOBAL": lambda machine, full: machine.name(*full.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.take(2)),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.take(1),  # attributes of a dictionary or a tensor: not needed
    "BINPERSID": lambda machine, _: machine.refer(),
}
"""What every other opcode does."""
