"""`python -m tests.benchmarks [NAME ...]`: runs bench_NAME.py; without a name all that need no browser."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

NEEDS_A_BROWSER = {"app"}


def main(asked: list[str]) -> int:
    """Runs the benchmarks one after the other; status 2 for a name that isn't there."""
    there = {path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")}
    if unknown := set(asked) - there:
        print(f"no benchmark {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(there))}", file=sys.stderr)
        return 2
    for name in asked or sorted(there - NEEDS_A_BROWSER):
        module = importlib.import_module(f".bench_{name}", __package__)
        print(f"\n== {module.TITLE}")
        module.main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
