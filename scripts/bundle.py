"""A trained network becomes the bundled checkpoint: `python scripts/bundle.py RUN/checkpoint.safetensors DATA`.

Measures it on all validation images, and stops where it is not better than the bundled one; else puts it in its place,
calibrates it (where asked), makes anew what belongs to one file (confusions, what the classes look like, probes) and
writes the new tables into the card. What is left to do by hand is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inception_model.analysis.confusions import (
    Confusions,
    Tally,
    confusions_path,
    load_confusions,
    markdown,
    save_confusions,
)
from inception_model.analysis.ood_file import known_path, load_known
from inception_model.analysis.probes import load_probes, probes_path
from inception_model.architecture.network import Heads
from inception_model.architecture.spec import HEADS, HeadName
from inception_model.checkpoints.checkpoint import BUNDLED, Checkpoint
from inception_model.checkpoints.store import file_of, load, save
from inception_model.cli import main as command
from inception_model.cli.ood import table as ood_table
from inception_model.inference.classifier import DTYPES, build
from inception_model.training.data import open_dataset
from inception_model.training.evaluation import HeadAccuracy, evaluate_network
from inception_model.training.recipe import HELD_OUT

KNOWN_IMAGES, PROBE_IMAGES = "1600", "100"
"""Training images that `ood` looks at, and images of a class that the probes learn from."""


def measured(checkpoint: Checkpoint, data: Path) -> tuple[dict[HeadName, HeadAccuracy], Tally]:
    """Accuracy by head on all validation images, centre views, float32, and which classes are taken for which."""
    images = open_dataset(data, "validation", checkpoint.labels)
    tally = Tally(checkpoint.spec.classes)

    def visit(heads: Heads, labels: Tensor) -> None:
        for head in HEADS:
            tally(head, heads.of(head), labels)

    with tqdm(total=len(images), unit="img", desc="measure", dynamic_ncols=True) as bar:
        found = evaluate_network(
            build(checkpoint).network,
            images,
            checkpoint.preprocessing,
            progress=lambda seen, _: bar.update(seen - bar.n),
            visit=visit,
        )
    return found, tally


def in_its_place(trained: Checkpoint, found: dict[HeadName, HeadAccuracy]) -> Checkpoint:
    """Writes the file under the bundled one's name, with what was measured."""
    accuracy = {head: dataclasses.asdict(each) for head, each in found.items()}
    return save(
        dataclasses.replace(trained, name=BUNDLED, accuracy=accuracy, source=load(BUNDLED).source), file_of(BUNDLED)
    )


@contextlib.contextmanager
def all_or_none(files: list[Path]) -> Iterator[None]:
    """Where anything is raised, the files are again what they were: weights never lie beside what is of others."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {path: shutil.copy2(path, folder) for path in files if path.exists()}
        try:
            yield
        except BaseException:
            for path in files:
                if path in kept:
                    shutil.copy2(kept[path], path)
                else:
                    path.unlink(missing_ok=True)
            raise


def replaced(card: str, heading: str, rows: list[str]) -> str:
    """The card with the first tables below that heading (as many as `rows` has) changed to `rows`."""
    start = card.index(f"## {heading}\n")
    end = card.find("\n## ", start + 1)
    section = card[start:end]
    new = [list(lines) for table, lines in itertools.groupby(rows, lambda line: line.startswith("|")) if table]
    old = list(re.finditer(r"(?:^\|.*\n)+", section, re.MULTILINE))[: len(new)]
    for found, lines in reversed(list(zip(old, new, strict=True))):
        section = section[: found.start()] + "".join(line + "\n" for line in lines) + section[found.end() :]
    return card[:start] + section + card[end:]


def tables(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """The card's tables that this script measures, by their heading."""
    probes = load_probes(probes_path(BUNDLED), checkpoint).modules
    head = ["| head | after | top-1 | top-5 |", "| --- | --- | --- | --- |"]
    probe = ["| probe at | top-1 | top-5 |", "| --- | --- | --- |"]
    accuracy = {name: checkpoint.accuracy[name] for name in HEADS}
    after = {"main": checkpoint.spec.module_names[-1], **{aux.name: aux.after for aux in checkpoint.spec.aux}}
    sure: dict[str, list[str]] = {}
    if checkpoint.calibration is not None:
        sure["How sure it says that it is"] = [
            "| head | temperature | calibration error before | after |",
            "| --- | ---: | ---: | ---: |",
            *(
                f"| {name} | {each.temperature:.3f} | {each.before.error:.1%} | {each.after.error:.1%} |"
                for name, each in checkpoint.calibration.heads.items()
            ),
        ]
    return {
        **sure,
        "Accuracy": head
        + [f"| {name} | {after[name]} | {each['top1']:.1%} | {each['top5']:.1%} |" for name, each in accuracy.items()],
        "Which classes it takes for which": markdown(load_confusions(confusions_path(BUNDLED), checkpoint), checkpoint),
        "Does it know this at all?": ood_table(load_known(known_path(BUNDLED), checkpoint)),
        "Linear probes": probe
        + [f"| {name} | {each.accuracy.top1:.1%} | {each.accuracy.top5:.1%} |" for name, each in probes.items()],
    }


def commands(data: Path, calibrate: bool) -> list[list[str]]:
    """The program's commands that make what belongs to one file of weights."""
    held_out = ["--holdout", str(HELD_OUT if calibrate else 0)]
    probe = ["probe", "--data", str(data), *held_out, "--limit-per-class", PROBE_IMAGES]
    made = [["ood", str(data), "--limit", KNOWN_IMAGES, *held_out], [*probe, "--out", str(probes_path(BUNDLED))]]
    return [["calibrate", str(data)], *made] if calibrate else made


def bundle(trained: Checkpoint, found: dict[HeadName, HeadAccuracy], tally: Tally, args: argparse.Namespace) -> None:
    """Puts the network in its place and makes all that belongs to it: completely, or nothing is changed."""
    weights = file_of(BUNDLED)
    card = weights.with_suffix(".md")
    with all_or_none([weights, card, probes_path(BUNDLED), known_path(BUNDLED), confusions_path(BUNDLED)]):
        in_its_place(trained, found)
        for words in commands(args.data, args.calibrate):
            print(f"\n$ {words[0]}", flush=True)
            if command([*words, "--precision", args.precision]):
                raise SystemExit(f"{words[0]} failed: the bundled network is what it was")
        checkpoint = load(BUNDLED)
        counted = Confusions(checkpoint.sha256, dict(tally.heads), "validation", args.data.resolve().name)
        save_confusions(counted, confusions_path(BUNDLED))
        text = card.read_text(encoding="utf-8")
        for heading, rows in tables(checkpoint).items():
            text = replaced(text, heading, rows)
        card.write_text(text, encoding="utf-8")
        print(f"bundled now: {checkpoint.sha256}")


def main() -> int:
    """Measures, replaces, measures what belongs to the file, writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--precision", choices=sorted(DTYPES), default="float32", help="of what follows the accuracy")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="fit temperatures, and choose threshold and weight decay, on the held-out images: where no part of its "
        "training saw them",
    )
    args = parser.parse_args()
    before, trained = load(BUNDLED).accuracy, load(args.checkpoint)
    found, tally = measured(trained, args.data)
    for head, accuracy in found.items():
        print(f"{head}: {accuracy.top1:.2%} / {accuracy.top5:.2%}, bundled {before[head]['top1']:.2%}", flush=True)
    if found["main"].top1 <= before["main"]["top1"]:
        print("not better than the bundled network: nothing was changed")
        return 1
    bundle(trained, found, tally, args)
    print(
        "\nBy hand: the card's words (recipe, calibration, scores, what it answers to the photos that come"
        "\nwith the app), README's table, `benchmark` and `localize`, screenshots."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
