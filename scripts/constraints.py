"""The exact versions of what requirements*.txt need, as installed here: `make constraints` writes constraints.txt."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("requirements.txt", "requirements-dev.txt")
HEADER = """\
# The exact versions that the tests passed with; `make app`, `make test` and the image install these (made by
# `make constraints`). Left out: CUDA's packages and Triton, which torch pins by itself where its build needs them.
"""
LEFT_OUT = re.compile(r"nvidia-|triton|cuda-")


def canonical(name: str) -> str:
    """A package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    """The package of a requirement line."""
    return canonical(re.split(r"[\s<>=!~;\[(]", requirement.strip(), maxsplit=1)[0])


def needed() -> set[str]:
    """What the requirement files name, and all that those need in turn, where it is installed."""
    lines = [line for file in FILES for line in (ROOT / file).read_text().splitlines()]
    pending = [named(line) for line in lines if line and not line.startswith(("#", "-"))]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in found or LEFT_OUT.match(name):
            continue
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another system, or an extra that is not installed
            continue
        found.add(name)
        pending += [named(line) for line in wanted if "extra ==" not in line]
    return found


def main() -> int:
    """Prints the file."""
    sys.stdout.write(HEADER)
    for name in sorted(needed()):
        sys.stdout.write(f"{name}=={metadata.version(name).split('+')[0]}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
