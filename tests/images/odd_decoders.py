"""What a decoder process may do to its pool, chosen by the photo's name. Run in place of `read_photo`."""

from __future__ import annotations

import os
import sys
import time

from inception_model.images.decode import ImageError, Photo, read_photo


def decode(data: bytes, name: str) -> Photo:
    """Misbehaves as the first word of the name says; decodes any other photo."""
    what = name.split(".")[0]
    if what == "endless":
        while True:
            pass
    elif what == "working":
        end = time.process_time() + 0.25
        while time.process_time() < end:
            pass
    elif what == "stuck":
        time.sleep(600)
    elif what == "waiting":  # the machine is busy with something else
        time.sleep(0.8)
    elif what == "crash":
        os.abort()
    elif what == "greedy":
        bytearray(2**31)
    elif what == "chatty":
        os.write(1, b"a library's warning\n" * 100)
    elif what == "nonsense":
        photo = read_photo(data, name)
        return Photo(photo.image, photo.sha256, name, photo.stored, 77)
    elif what == "modules":
        raise ImageError(" ".join(sorted({module.split(".")[0] for module in sys.modules})))
    elif what == "process":
        time.sleep(0.3)
        raise ImageError(str(os.getpid()))
    return read_photo(data, name)
