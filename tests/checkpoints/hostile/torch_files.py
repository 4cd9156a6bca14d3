"""torch's files: archives that unpack to too much, pickles that call, nest, repeat or lie about their numbers."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from inception_model.checkpoints.torch_file import MAGIC
from tests.checkpoints.hostile import Hostile, later, sparse

_REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
_DEFLATED = zipfile.ZIP_DEFLATED


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive with torch's folder in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name, content in entries.items():
            opened.writestr(f"a/{name}", content)
    return made.getvalue()


def torch_file(program: bytes, data: bytes = bytes(64)) -> bytes:
    """An archive with that pickle and one storage, "0"."""
    return archive({"data.pkl": b"\x80\x02" + program + b".", "byteorder": b"little", "data/0": data})


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(value: int) -> bytes:
    """A whole number of any size."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(raw)) + raw


def listed(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def tensor(
    shape: tuple[int, ...] = (16,), stride: tuple[int, ...] = (1,), offset: int = 0, count: int = 16,
    key: str = "0", kind: str = "FloatStorage",
) -> bytes:  # fmt: skip
    """What puts a tensor on the stack."""
    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + whole(count) + b"tQ"
    return _REBUILD + b"(" + storage + whole(offset) + listed(shape) + listed(stride) + b"\x89}tR"


def state(*tensors: bytes) -> bytes:
    """A dictionary of tensors."""
    return b"}(" + b"".join(text(f"t{at}") + each for at, each in enumerate(tensors)) + b"u"


def called(module: str, name: str, argument: str = "echo") -> bytes:
    return b"}" + text("a") + f"c{module}\n{name}\n".encode() + text(argument) + b"\x85Rs"


def older(*pickles: object, tail: bytes = b"") -> bytes:
    """A file of the older format: bytes are programs, everything else is pickled."""
    return b"".join(p if isinstance(p, bytes) else pickle.dumps(p, protocol=2) for p in pickles) + tail


def program(content: bytes) -> bytes:
    return b"\x80\x02" + content + b"."


def _patched(content: bytes, find: bytes, offset: int, value: bytes) -> bytes:
    """The file with other bytes at a place behind the last occurrence of `find`."""
    at = content.rindex(find) + offset
    return content[:at] + value + content[at + len(value) :]


def _large(size: int, name: str = "data.pkl") -> Callable[[Path], None]:
    """An archive whose entry claims `size` stored bytes, which are there (and take no room)."""

    def write(path: Path) -> None:
        whole_name = f"a/{name}".encode()
        local = (
            struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, size, size, len(whole_name), 0) + whole_name
        )
        central = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, size, size, len(whole_name), 0, 0, 0, 0, 0, 0
        )
        central += whole_name
        start = len(local) + size
        end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), start, 0)
        sparse(local, start + len(central) + len(end), central + end)(path)

    return write


def _directory(size: int, entries: int) -> bytes:
    """An archive that says its list of entries has that size."""
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, 0)
    return archive({"data.pkl": b""})[:64] + bytes(64) + wide + struct.pack("<4sIQI", b"PK\x06\x07", 0, 128, 1) + end


HEAD: tuple[object, ...] = (MAGIC, 1001, {"little_endian": True, "type_sizes": {}})
SMALL = torch_file(state(tensor()))
CODE = "more than plain tensors"
BROKEN = "its pickle is damaged or cut off"
MANY = "more than 200,000 steps"
DEEP = 60_000

FILES: dict[str, Hostile] = {
    "ten million steps": Hostile(torch_file(b"N0" * (5 * 10**6)), "bytes of pickle, at most 4,194,304"),
    "four million steps": Hostile(torch_file(b"N0" * (2 * 10**6)), MANY),
    "four million values on the stack": Hostile(torch_file(b"N" * (4 * 10**6)), MANY),
    "four million marks": Hostile(torch_file(b"(" * (4 * 10**6)), MANY),
    "half a million empty dictionaries": Hostile(torch_file(b"}" * 500_000), MANY),
    "lists 60,000 deep": Hostile(torch_file(b"]" * DEEP + b"a" * (DEEP - 1)), "it holds a list"),
    "tuples 60,000 deep": Hostile(torch_file(b")" + b"\x85" * DEEP), "it holds a tuple"),
    "dictionaries 60,000 deep": Hostile(torch_file((b"}" + text("a")) * DEEP + b"}" + b"s" * DEEP), "hold no tensors"),
    "a deep tuple as a key": Hostile(torch_file(b"})" + b"\x85" * DEEP + b"Ns"), "has a tuple as a key"),
    "a list in itself": Hostile(torch_file(b"]q\x00h\x00a"), "it holds a list"),
    "a dictionary in itself": Hostile(torch_file(b"}q\x00" + text("state_dict") + b"h\x00s"), "hold no tensors"),
    "doubled a hundred times": Hostile(torch_file(b"]" + b"q\x00h\x00\x86" * 100), "it holds a tuple"),
    "a place of the memo at 2^32": Hostile(torch_file(b"Nr\xff\xff\xff\xff" + state(tensor())), BROKEN),
    "what was never kept": Hostile(torch_file(b"j\xff\xff\xff\xff"), BROKEN),
    "nothing on the stack": Hostile(torch_file(b"R"), BROKEN),
    "no mark": Hostile(torch_file(b"Nt"), BROKEN),
    "no end": Hostile(archive({"data.pkl": b"\x80\x02}" * 1000}), BROKEN),
    "an empty pickle": Hostile(archive({"data.pkl": b""}), BROKEN),
    "an unknown step": Hostile(torch_file(b"\xff"), BROKEN),
    "a number of four million bytes": Hostile(
        torch_file(b"\x8b" + struct.pack("<i", 4 * 10**6) + b"\x7f" * (4 * 10**6)), "a single value"
    ),
    "a number of a million digits": Hostile(torch_file(b"L" + b"9" * 10**6 + b"L\n"), BROKEN),
    "a number of negative length": Hostile(torch_file(b"\x8b\xff\xff\xff\xff"), BROKEN),
    "a text of 2^63 signs": Hostile(torch_file(b"\x8d" + struct.pack("<Q", 1 << 63)), BROKEN),
    "a text of 2^32 signs": Hostile(torch_file(b"X\xff\xff\xff\xff"), BROKEN),
    "bytes of 2^62": Hostile(torch_file(b"\x8e" + struct.pack("<Q", 1 << 62)), BROKEN),
    "a frame of 2^60": Hostile(
        torch_file(b"\x95" + struct.pack("<Q", 1 << 60) + state(tensor())), "unknown tensor names"
    ),
    "a call of the system": Hostile(torch_file(called("os", "system")), CODE),
    "a call of posix": Hostile(torch_file(called("posix", "system")), CODE),
    "a call of eval": Hostile(torch_file(called("builtins", "eval")), CODE),
    "a call by names on the stack": Hostile(
        torch_file(text("os") + text("system") + b"\x93" + text("echo") + b"\x85R"), CODE
    ),
    "a call that INST makes": Hostile(torch_file(b"(" + text("echo") + b"ios\nsystem\n"), CODE),
    "a call that OBJ makes": Hostile(torch_file(b"(cos\nsystem\n" + text("echo") + b"o"), CODE),
    "a call of a text": Hostile(torch_file(text("os.system") + b")R"), CODE),
    "a new object": Hostile(torch_file(b"ccollections\nOrderedDict\n)\x81"), CODE),
    "an extension": Hostile(torch_file(b"\x82\x01"), CODE),
    "a load within a load": Hostile(torch_file(called("torch", "load", "/etc/passwd")), CODE),
    "attributes of a function": Hostile(torch_file(called("torch.storage", "os.system")), CODE),
    "a dictionary that is filled by a call": Hostile(
        torch_file(b"ccollections\nOrderedDict\n]\x85R)b"), r"BUILD|unknown|damaged"
    ),
    "a dictionary of pairs": Hostile(
        torch_file(b"ccollections\nOrderedDict\n(](" + text("a") + b"NtatR"), "unusual way"
    ),
    "a tensor of 2^62 numbers": Hostile(torch_file(state(tensor((1 << 62,)))), "whole numbers from 0 on"),
    "a tensor of 2^1000 numbers": Hostile(torch_file(state(tensor((1 << 1000,)))), "whole numbers from 0 on"),
    "a tensor larger than its numbers": Hostile(torch_file(state(tensor((17,)))), "reaches up to number 17 of 16"),
    "a tensor with a negative size": Hostile(torch_file(state(tensor((-1,)))), "whole numbers from 0 on"),
    "a tensor that goes backwards": Hostile(
        torch_file(state(tensor(stride=(-1,), offset=15))), "whole numbers from 0 on"
    ),
    "a tensor with large steps": Hostile(torch_file(state(tensor((2,), (1 << 39,)))), "reaches up to"),
    "a tensor that begins behind its numbers": Hostile(torch_file(state(tensor((1,), offset=16))), "number 17 of 16"),
    "a tensor that begins before its numbers": Hostile(torch_file(state(tensor((1,), offset=-1))), "without a place"),
    "more numbers than there are": Hostile(torch_file(state(tensor((4096,), count=4096))), "has 64 bytes for them"),
    "fewer numbers than there are": Hostile(torch_file(state(tensor((4,), count=4))), "has 64 bytes for them"),
    "2^70 numbers": Hostile(torch_file(state(tensor(count=1 << 70))), "impossible number of numbers"),
    "numbers of two types at one place": Hostile(
        torch_file(state(tensor(), tensor((8,), count=8, kind="DoubleStorage"))), "in two ways"
    ),
    "numbers that aren't there": Hostile(torch_file(state(tensor(key="7"))), "numbers are missing"),
    "numbers outside of the archive": Hostile(
        torch_file(state(tensor(key="../../../etc/passwd"))), "numbers are missing"
    ),
    "more sizes than steps": Hostile(torch_file(state(tensor((4, 4), (1,)))), "2 dimensions and 1 strides"),
    "a hundred dimensions": Hostile(torch_file(state(tensor((1,) * 100, (1,) * 100))), "100 dimensions"),
    "a tensor without arguments": Hostile(torch_file(_REBUILD + b")R"), BROKEN),
    "a parameter without a tensor": Hostile(
        torch_file(b"ctorch._utils\n_rebuild_parameter\nN\x85R"), "without a tensor"
    ),
    "a type within types": Hostile(
        torch_file(
            b"ctorch._tensor\n_rebuild_from_type_v2\n(h\x00N)tR".replace(
                b"h\x00", b"ctorch._tensor\n_rebuild_from_type_v2\n"
            )
        ),
        CODE,
    ),
    "10^12 times one number": Hostile(torch_file(state(tensor((10**6, 10**6), (0, 0)))), "unknown tensor names"),
    "2,001 tensors": Hostile(torch_file(state(*[tensor()] * 2001)), "2,001 tensors, at most 2,000"),
    "2,000 tensors that share 64 MB": Hostile(
        later(
            lambda: torch_file(
                state(tensor((1 << 24,), count=1 << 24), *[b"h\x00"] * 1998).replace(b"\x89}tR", b"\x89}tRq\x00", 1),
                bytes(1 << 26),
            )
        ),
        "MB are read",
    ),
    "a name of a million letters": Hostile(
        torch_file(b"}" + text("x" * 10**6) + tensor() + b"s"), "1,000,000 characters"
    ),
    "a zip bomb": Hostile(
        later(lambda: archive({"data.pkl": bytes(10**8)}, _DEFLATED)), r"compressed entries \(100 MB once unpacked\)"
    ),
    "a bzip2 bomb": Hostile(archive({"data.pkl": bytes(10**6)}, zipfile.ZIP_BZIP2), "compressed entries"),
    "an lzma bomb": Hostile(archive({"data.pkl": bytes(10**6)}, zipfile.ZIP_LZMA), "compressed entries"),
    "TensorFlow's graph in an archive": Hostile(
        archive({"tensorflow_inception_graph.pb": b"\x0a" * 1000}, _DEFLATED), "compressed"
    ),
    "an archive of other things": Hostile(archive({"hello.txt": b"hello"}), "that no torch wrote"),
    "a pickle of 900 MB": Hostile(_large(900_000_000), "900,000,000 bytes of pickle"),
    "numbers of 900 MB": Hostile(_large(900_000_000, "data/0"), "that no torch wrote"),
    "20,000 entries": Hostile(
        later(lambda: archive({f"data/{n}": b"" for n in range(20_000)})), "list of entries has more than"
    ),
    "a list of 2^60 entries": Hostile(_directory(1 << 60, 1 << 60), "can't be read|more than"),
    "a list of 900 MB": Hostile(_directory(900 << 20, 10**7), "can't be read|more than"),
    "two entries of one name": Hostile(
        archive({"data.pkl": b"", "data.pkm": b""}).replace(b"data.pkm", b"data.pkl"), "two entries of one name|damaged"
    ),
    "an entry that is elsewhere": Hostile(
        _patched(SMALL, b"PK\x01\x02", 42, b"\x05\0\0\0"), "damaged|cut off|can't be read"
    ),
    "an entry beyond the archive": Hostile(
        _patched(SMALL, b"PK\x01\x02", 20, b"\xff\xff\0\0\xff\xff\0\0"), "may be cut off"
    ),
    "an encrypted entry": Hostile(_patched(SMALL, b"PK\x01\x02", 8, b"\x01"), "encrypted"),
    "an archive that is cut": Hostile(SMALL[:-30], "cut off"),
    "a script": Hostile(archive({"data.pkl": program(b"}"), "constants.pkl": b""}), "TorchScript"),
    "another byte order": Hostile(archive({"data.pkl": program(b"}"), "byteorder": b"big"}), "byte order"),
    "one pickle": Hostile(older({"a": 1}), "that no torch wrote"),
    "a magic number of a million digits": Hostile(b"\x80\x02L" + b"9" * 10**6 + b"L\n.", BROKEN),
    "older: nothing behind the magic number": Hostile(older(MAGIC), BROKEN),
    "older: a machine that is a list": Hostile(older(MAGIC, 1001, [], {}, []), "byte order"),
    "older: another byte order": Hostile(older(MAGIC, 1001, {"little_endian": False}, {}, []), "byte order"),
    "older: a call": Hostile(older(*HEAD, program(called("os", "system")), []), CODE),
    "older: keys that are numbers": Hostile(older(*HEAD, {}, [1]), "is damaged"),
    "older: a key of no tensor": Hostile(older(*HEAD, {}, ["7"]), "belong to no tensor"),
    "older: 2^63 numbers": Hostile(older(*HEAD, program(state(tensor())), ["0"], tail=b"\xff" * 8), "ends before"),
    "older: missing numbers": Hostile(
        older(*HEAD, program(state(tensor())), ["0"], tail=b"\x10" + bytes(40)), "ends before"
    ),
    "older: no numbers": Hostile(older(*HEAD, program(state(tensor())), []), "numbers are missing"),
    "older: four million steps": Hostile(older(*HEAD, program(b"N0" * (2 * 10**6 - 100))), MANY),
    "older: 900 MB of nothing": Hostile(sparse(b"\x80\x02", 900_000_000), BROKEN),
}
