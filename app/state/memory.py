"""What stays for ever is kept out of the garbage collector's way.

Streamlit collects all garbage after every run of the script, also after the runs that only look how far a computation
is. Passing over every object of torch, plotly and captum takes a quarter of a second and more, in which no other Python
code runs: clicks feel slow, and a computation that is watched twice a second takes several times as long.
"""

from __future__ import annotations

import gc
import sys
import threading

NEW_MODULES = 50
"""So many modules more than the last time are worth another pass."""

_lock = threading.Lock()
_known = 0


def settle() -> bool:
    """After many modules were imported: collects once, and from then on passes over what is left (`gc.freeze`).

    What was frozen before is looked at again first, so that nothing which has become garbage since stays for good.
    Returns whether it did so; costs nothing otherwise.
    """
    global _known
    if len(sys.modules) < _known + NEW_MODULES or not _lock.acquire(blocking=False):
        return False
    try:
        _known = len(sys.modules)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
    finally:
        _lock.release()
    return True
