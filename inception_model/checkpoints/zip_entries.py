"""Where the entries of a torch file's zip archive lie: the list of entries is bounded, nothing is ever unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from .checkpoint import CheckpointError
from .limits import AGAIN_WITH_TORCH, MAX_DIRECTORY

_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED = 1


class _Measured(io.RawIOBase):
    """A file that gives nothing large at once: the list of entries is as long as the archive says it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise _too_long()
        data = self.file.read(size if size >= 0 else MAX_DIRECTORY + 1)
        if len(data) > MAX_DIRECTORY:
            raise _too_long()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True


def _too_long() -> CheckpointError:
    return CheckpointError(f"its list of entries has more than {MAX_DIRECTORY:,} bytes; {AGAIN_WITH_TORCH}")


def zip_entries(path: Path) -> dict[str, tuple[int, int]]:
    """Name without the archive's own folder -> (first byte, bytes) of its content in the file.

    torch stores its entries as they are; an archive with a compressed one is refused, so that no archive is larger
    unpacked than on the disk.
    """
    size = path.stat().st_size
    found: dict[str, tuple[int, int]] = {}
    with path.open("rb") as file:
        for entry in _directory(file):
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise CheckpointError(
                    f"a zip archive of compressed entries ({entry.file_size / 1e6:,.0f} MB once unpacked); torch "
                    f"writes them uncompressed: unpack it, or {AGAIN_WITH_TORCH}"
                )
            if entry.flag_bits & _ENCRYPTED:
                raise CheckpointError(f"an encrypted zip archive; {AGAIN_WITH_TORCH}")
            file.seek(entry.header_offset)
            local = file.read(_LOCAL.size)
            if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
                raise CheckpointError("a zip archive whose list names a place where no entry is; it is damaged")
            _, name, extra = _LOCAL.unpack(local)
            start = entry.header_offset + _LOCAL.size + name + extra
            if start + entry.file_size > size:
                raise CheckpointError("a zip archive that ends before one of its entries does; it may be cut off")
            short = entry.filename.partition("/")[2]
            if short in found:
                raise CheckpointError("a zip archive with two entries of one name; it is damaged")
            found[short] = start, entry.file_size
    return found


def _directory(file: BinaryIO) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(_Measured(file)) as archive:
            return archive.infolist()
    except CheckpointError:
        raise
    except Exception as error:  # the file is untrusted: whatever the reader stumbles over is the file's fault
        raise CheckpointError(f"a zip archive that can't be read ({type(error).__name__}); it may be cut off") from None
