"""All hostile weight files by name, what a process of its own makes of them, and whether that is as it has to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.checkpoints.hostile import (
    GROWTH,
    SECONDS,
    Hostile,
    caffe_files,
    metadata_files,
    safetensors_files,
    torch_files,
)
from tests.checkpoints.hostile.reader import read_all
from tests.processes import exit_codes

LONGEST = 700
"""Characters of a refusal."""
CORPUS: dict[str, Hostile] = {
    f"{kind}: {name}": file
    for kind, files in (
        ("safetensors", safetensors_files.FILES),
        ("torch", torch_files.FILES),
        ("caffe", caffe_files.FILES),
        ("metadata", metadata_files.FILES),
    )
    for name, file in files.items()
}


def outcomes(folder: Path) -> dict[str, dict[str, Any]]:
    """By name of the file: what a process of its own read, said and took. The folder is empty afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata_files.with_texts()(folder / "warm")
    names = list(CORPUS)
    for number, name in enumerate(names):
        CORPUS[name].write(folder / f"{number:03d}")
    rows = folder.with_name(f"{folder.name}.jsonl")
    rows.write_text("")
    [code] = exit_codes(read_all, [(folder, rows)], seconds=200)
    for path in folder.iterdir():
        path.unlink()
    found = {row["file"]: row for row in map(json.loads, rows.read_text().splitlines())}
    rows.unlink()
    assert code == 0, f"it ended with {code} at file {len(found)}"
    return {name: found[f"{number:03d}"] for number, name in enumerate(names)} | {"warm": found["warm"]}


def faults_of(name: str, found: dict[str, Any]) -> list[str]:
    """What is not as it has to be with one file, in words."""
    wanted, said = CORPUS[name].said, found["said"]
    faults = [f"{name}: {found['error']}"] if found["error"] else []
    if wanted is None or said is None:
        if said != wanted:
            faults.append(f"{name}: it was {'read' if said is None else f'refused: {said}'}")
    elif not re.search(wanted, said) or len(said) >= LONGEST:
        faults.append(f"{name}: {said}")
    if found["seconds"] >= SECONDS or found["growth"] >= GROWTH:
        faults.append(f"{name}: {found['seconds']:.1f} s and {found['growth'] / 1e6:.0f} MB")
    return faults
