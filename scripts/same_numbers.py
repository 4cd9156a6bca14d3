"""Do two checkouts answer alike? `python scripts/same_numbers.py snapshot CHECKOUT FILE`, then `compare FILE FILE`.

Every command runs with --json on five sample photos and on a small generated data set; times, paths and versions are
left out. `compare` prints every number that differs, with the relative difference, and fails above 1e-6.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PHOTOS = ("cat", "coffee", "astronaut", "rocket", "retina")
LEFT_OUT = ("seconds", "path", "out", "files", "versions", "command", "created", "made", "progress")
ALLOWED = 1e-6


def snapshot(checkout: Path, file: Path) -> None:
    """Runs all commands of a checkout in this process and writes their answers."""
    sys.path.insert(0, str(checkout))
    import numpy as np
    import torch

    torch.set_num_threads(2)
    from inception_model.cli import main

    def ask(*words: str) -> Any:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = main([*words, "--json"])
        return json.loads(out.getvalue()) if status == 0 else {"status": status}

    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photos, data, boxes = pictures(root)
        for name, photo in photos.items():
            answers[f"predict {name}"] = ask("predict", photo)
            answers[f"inspect {name}"] = ask("inspect", photo, "--out", str(root / "a.npz"))
            with np.load(root / "a.npz") as arrays:
                answers[f"arrays {name}"] = {
                    key: [float(np.float64(values).sum()), float(np.abs(np.float64(values)).max())]
                    for key, values in arrays.items()
                }
            answers[f"ablate {name}"] = ask("ablate", photo, "--off", "4d:5x5", "--off", "3a:1x1:7")
            for fill in ("zero", "mean-colour", "mean-blur"):
                answers[f"sweep {name} {fill}"] = ask("ablate", photo, "--sweep", "--fill", fill)
            answers[f"ledger {name}"] = ask("ledger", photo, "--steps", "8", "--head", "main")
            answers[f"ledger aux1 {name}"] = ask("ledger", photo, "--steps", "4", "--head", "aux1")
            for method in methods() if name == "cat" else ("gradcam", "saliency", "integrated_gradients"):
                few = [
                    word
                    for option, value in (("steps", 8), ("n_steps", 8), ("samples", 2), ("masks", 40))
                    for word in ("--option", f"{option}={value}")
                    if option in method_options(method)
                ]
                answers[f"explain {method} {name}"] = ask(
                    "explain", photo, "--method", method, "--out", str(root), *few
                )
            manifest = root / "report.json"
            page = root / "report.html"
            ask("report", photo, "--out", str(page), "--manifest", str(manifest), "--steps", "4", "--method", "gradcam")
            answers[f"report {name}"] = json.loads(manifest.read_text()) if manifest.is_file() else None
        for spec in ("paper", "batchnorm", "torchvision", "inception5h", "tiny"):
            for naive in ("same-outputs", "no-projections", "figure-2a"):
                answers[f"compute {spec} {naive}"] = ask("compute", "--spec", spec, "--naive", naive)
        answers["checkpoints"] = ask("checkpoints", "show", "tiny-imagenet")
        answers["evaluate"] = ask("evaluate", "--data", data, "--limit", "20")
        answers["localize"] = ask("localize", data, "--boxes", boxes, "--limit", "20", "--method", "gradcam")
    file.write_text(json.dumps(answers, indent=1))
    print(f"{len(answers)} answers, {sum(a == {'status': 2} for a in answers.values())} refusals -> {file}")


def methods() -> tuple[str, ...]:
    """Every attribution method."""
    from inception_model.attribution import METHODS

    return tuple(METHODS)


def method_options(name: str) -> set[str]:
    """What a method takes."""
    from inception_model.attribution import METHODS

    return {option.name for option in METHODS[name].options}


def pictures(root: Path) -> tuple[dict[str, str], str, str]:
    """Five sample photos as files, a data set of the bundled classes made from them, and its boxes."""
    import numpy as np
    import skimage.data
    from PIL import Image

    found: dict[str, str] = {}
    for name in PHOTOS:
        image = Image.fromarray(np.asarray(getattr(skimage.data, name)())).convert("RGB")
        image.thumbnail((640, 640))
        found[name] = str(root / f"{name}.png")
        image.save(found[name])
    data = root / "data"
    data.mkdir()
    lines = ["path,x0,y0,x1,y1"]
    for wnid in bundled_classes():
        (data / "validation" / wnid).mkdir(parents=True)
    for number, wnid in enumerate(bundled_classes()[:40]):
        with Image.open(found[PHOTOS[number % 5]]) as image:
            w, h = image.size
            image.crop((number, number, w - number, h - number)).save(data / "validation" / wnid / "a.png")
        lines.append(f"validation/{wnid}/a.png,20,30,200,220")
    boxes = root / "boxes.csv"
    boxes.write_text("\n".join(lines) + "\n")
    return found, str(data), str(boxes)


def bundled_classes() -> list[str]:
    """WordNet ids in index order, from the bundled file's own metadata."""
    from safetensors import safe_open

    for folder in sys.path:
        file = Path(folder) / "assets" / "checkpoints" / "tiny-imagenet.safetensors"
        if file.is_file():
            with safe_open(file, "pt") as opened:
                return [row["wnid"] for row in json.loads(opened.metadata()["labels"])]
    raise FileNotFoundError("no checkout on the path has the bundled checkpoint")


def differences(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any, float]]:
    """(place, old, new, relative difference) of everything that is not the same; inf for other kinds of change."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            if key not in LEFT_OUT:
                yield from differences(old.get(key), new.get(key), f"{where}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where}/{number}")
    elif isinstance(old, float) and isinstance(new, float) and math.isfinite(old) and math.isfinite(new):
        if old != new:
            yield where, old, new, abs(old - new) / max(abs(old), abs(new))
    elif old != new and not (isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new)):
        yield where, old, new, math.inf


def compare(first: Path, second: Path) -> int:
    """Prints what differs; status 1 where something differs by more than ALLOWED."""
    old, new = json.loads(first.read_text()), json.loads(second.read_text())
    found = list(differences(old, new))
    above = [row for row in found if row[3] > ALLOWED]
    for where, a, b, share in above[:40]:
        print(f"{where}: {str(a)[:80]} -> {str(b)[:80]} ({share:.1e})")
    numbers = json.dumps(old).count(",")
    print(f"{len(found)} of about {numbers} values differ, {len(above)} by more than {ALLOWED:g}")
    return 1 if above else 0


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "snapshot":
        snapshot(Path(sys.argv[2]).resolve(), Path(sys.argv[3]))
    elif len(sys.argv) == 4 and sys.argv[1] == "compare":
        raise SystemExit(compare(Path(sys.argv[2]), Path(sys.argv[3])))
    else:
        raise SystemExit(__doc__)
