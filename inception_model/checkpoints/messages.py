"""What an untrusted file holds, as an error message may repeat it.

A message must not become a way to read a file of the machine that is no weight file: names are shown only if they look
like a layer's, and everything is cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 60
"""Characters of a tensor's name; the longest of a known format has 42."""
REASON = 160
"""Characters of a library's reason."""
_NAME = re.compile(r"[A-Za-z0-9_./ ()-]+")


def shown(name: str) -> str:
    """The name itself, cut, or only its length where it doesn't look like a layer's name."""
    cut = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    return cut if _NAME.fullmatch(cut) else f"a name of {len(name)} characters"


def first_few(names: Iterable[str], count: int = 3) -> str:
    """The first few of them, and how many more there are; names out of a file go through `shown` before."""
    listed = list(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more


def reason(error: Exception) -> str:
    """A library's own words: the first line, printable and cut; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    line = "".join(sign if sign.isprintable() else "?" for sign in lines[0]) if lines else type(error).__name__
    return line if len(line) <= REASON else f"{line[:REASON]}..."
