"""`python -m tests.endurance soak|crowd|attack`: the long forms, against an app of their own. Status 1 for a fault."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.app.api.api_server import api_server


def say(words: str) -> None:
    """At once, also into a file."""
    print(words, flush=True)


def load() -> str:
    """How busy the machine is."""
    return f"{os.cpu_count()} cores, load {', '.join(f'{part:.1f}' for part in os.getloadavg())}"


def soak(asked: argparse.Namespace) -> list[str]:
    """Memory, threads, handles and hooks over many sessions."""
    from tests.endurance.soak import soak

    with tempfile.TemporaryDirectory() as folder, api_server(Path(folder)) as server:
        found = soak(f"http://localhost:{server.port}", asked.looks, asked.sessions, say=say)
    say(f"{len(found.told)} looks with explanations: memory {found.growth:+.1%} since the first tenth")
    return found.faults()


def crowd(asked: argparse.Namespace) -> list[str]:
    """Many at once."""
    from tests.endurance.crowd import crowd

    with tempfile.TemporaryDirectory() as folder, api_server(Path(folder)) as server:
        found = crowd(f"http://localhost:{server.port}", asked.visitors, asked.seconds)
    say(
        f"{asked.visitors} visitors for {asked.seconds:g} s: {len(found.together)} looks, median {found.median:.2f} s, "
        f"{found.median / found.single:.1f} times a single visitor's {found.single:.2f} s, {len(found.errors)} errors, "
        f"{found.turned_away} times the queue was full"
    )
    return found.faults()


def attack(asked: argparse.Namespace) -> list[str]:
    """Odd and hostile files, and then photos that a fuzzer makes."""
    from tests.endurance.attack import attack

    return attack(asked.photos, asked.folder, say)


def main() -> int:
    """Prints what it does, and faults on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance")
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("soak")
    one.add_argument("--looks", type=int, default=1000)
    one.add_argument("--sessions", type=int, default=50)
    one.set_defaults(run=soak)
    one = kinds.add_parser("crowd")
    one.add_argument("--visitors", type=int, default=30)
    one.add_argument("--seconds", type=float, default=60.0)
    one.set_defaults(run=crowd)
    one = kinds.add_parser("attack")
    one.add_argument("--photos", type=int, default=100_000)
    one.add_argument("--folder", type=Path, default=Path("runs") / "attack", help="what it has done; it goes on there")
    one.set_defaults(run=attack)
    asked = parser.parse_args()
    say(load())
    faults: list[str] = asked.run(asked)
    say(load())
    for fault in faults[:40]:
        print(fault, file=sys.stderr)
    say(f"{len(faults)} faults" if faults else "no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
