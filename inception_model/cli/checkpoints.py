"""`checkpoints`: which weights there are, fetching published ones, and everything known about one, its classes too."""

from __future__ import annotations

import argparse
from typing import Any

from tqdm import tqdm

from ..checkpoints.checkpoint import ASSETS, BUNDLED, Checkpoint
from ..checkpoints.download import PUBLISHED, Published, fetch, local_file
from ..checkpoints.store import load
from .common import add_json_option, print_json


def add_parser(subparsers: Any) -> None:
    """Registers the command and its four actions."""
    parser = subparsers.add_parser("checkpoints", help="list, fetch and describe checkpoints")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|fetch|show|classes")
    listing = actions.add_parser(
        "list", help="the bundled and the published checkpoints, and which are on this machine"
    )
    fetching = actions.add_parser("fetch", help="download a published checkpoint into the cache")
    fetching.add_argument("name", choices=tuple(PUBLISHED), metavar="NAME", help=", ".join(PUBLISHED))
    showing = actions.add_parser("show", help="spec, labels, heads, provenance, hash, preprocessing, accuracy, card")
    showing.add_argument("name", metavar="NAME|PATH", help="a name of `list`, or a file of any known format")
    naming = actions.add_parser("classes", help="every answer that it can give, or those with these words")
    naming.add_argument("name", metavar="NAME|PATH", help="as for `show`")
    naming.add_argument("words", nargs="*", metavar="WORD", help="all of them in a class's synonyms or WordNet id")
    chosen = ((listing, run_list), (fetching, run_fetch), (showing, run_show), (naming, run_classes))
    for action, run in chosen:
        add_json_option(action)
        action.set_defaults(run=run)


def run_list(args: argparse.Namespace) -> int:
    """A row per checkpoint."""
    bundled = {
        "name": BUNDLED,
        "title": "this project's own: all three heads trained on Tiny ImageNet's 200 classes",
        "bundled": True,
        "path": str(ASSETS / "checkpoints" / f"{BUNDLED}.safetensors"),
        "available": (ASSETS / "checkpoints" / f"{BUNDLED}.safetensors").is_file(),
    }
    rows = [bundled, *(published(entry) for entry in PUBLISHED.values())]
    if args.json:
        print_json({"checkpoints": rows})
        return 0
    for row in rows:
        state = "bundled" if row["bundled"] else "on this machine" if row["available"] else "not fetched"
        print(f"{row['name']:21s} {state:16s} {row['title']}")
        if row.get("note"):
            print(f"{'':38s} {row['note']}")
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """Downloads, checks and opens the file; a second call finds it there."""
    entry = PUBLISHED[args.name]
    here = local_file(entry).is_file()
    if not here:
        with tqdm(unit="B", unit_scale=True, desc=entry.file_name, dynamic_ncols=True) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            fetch(entry, progress=progress)
    checkpoint = load(entry.name)
    answer = {**published(entry), "fetched": not here, "sha256": checkpoint.sha256}
    if args.json:
        print_json(answer)
        return 0
    print(f"{'already there' if here else 'fetched'}: {answer['path']}\nsha256 {checkpoint.sha256}")
    if entry.digest is None:
        print("No hash was ever published for this file: its structure is right, its origin is taken on trust.")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Everything known about a checkpoint; of a published one that isn't here, what its publisher says."""
    entry = PUBLISHED.get(args.name)
    if entry is not None and not local_file(entry).is_file():
        answer = {**published(entry), "card": entry.card}
        if args.json:
            print_json(answer)
            return 0
        _print_rows({key: value for key, value in answer.items() if key != "card"})
        print(f"\n{entry.by_hand}\n\n{entry.card}")
        return 0
    checkpoint = load(args.name)
    answer = description(checkpoint) | ({} if entry is None else published(entry))
    if args.json:
        print_json(answer)
        return 0
    _print_rows({key: value for key, value in answer.items() if key != "card"})
    print(f"\n{checkpoint.card}" if checkpoint.card else "\nno model card")
    return 0


def run_classes(args: argparse.Namespace) -> int:
    """A row per class whose synonyms or WordNet id hold every word."""
    checkpoint = load(args.name)
    labels = [checkpoint.label(index) for index in range(checkpoint.spec.classes)]
    words = [word.lower() for word in args.words]
    found = [label for label in labels if all(word in f"{label.words} {label.wnid}".lower() for word in words)]
    if args.json:
        print_json({"checkpoint": checkpoint.name, "of": len(labels), "classes": [vars(label) for label in found]})
        return 0
    for label in found:
        print(f"{label.index:5d}  {label.wnid:10s} {label.words}")
    print(f"{len(found)} of {len(labels)} classes")
    return 0


def published(entry: Published) -> dict[str, Any]:
    """What is known about a published file, and whether it is on this machine."""
    return {
        "name": entry.name,
        "title": entry.title,
        "bundled": False,
        "available": local_file(entry).is_file(),
        "path": str(local_file(entry)),
        "url": entry.url,
        "megabytes": entry.megabytes,
        "published_hash": None if entry.digest is None else f"{entry.digest[0]}:{entry.digest[1]}",
        "licence": entry.licence,
        "accuracy": entry.accuracy,
        "note": entry.note,
    }


def description(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint without its weights."""
    spec = checkpoint.spec
    untrained = [head for head in spec.heads if head not in checkpoint.heads_trained]
    return {
        "name": checkpoint.name,
        "spec": {"name": spec.name, "classes": spec.classes, "batch_norm": spec.batch_norm, "heads": spec.heads},
        "true_5x5": all(block.five_kernel == 5 for block in spec.blocks),
        "parameters": sum(value.numel() for key, value in checkpoint.state.items() if _is_weight(key)),
        "labels": len(checkpoint.labels),
        "heads_trained": checkpoint.heads_trained,
        "heads_untrained": untrained,
        "heads_fitted": checkpoint.fitted.words if checkpoint.fitted else checkpoint.fitted_refused,
        "source": checkpoint.source,
        "sha256": checkpoint.sha256,
        "preprocessing": vars(checkpoint.preprocessing),
        "accuracy": checkpoint.accuracy,
        "temperatures": dict(checkpoint.temperatures),
        "card": checkpoint.card,
    }


def _is_weight(key: str) -> bool:
    """Batch norm's statistics are measured, not learned."""
    return key.endswith((".weight", ".bias"))


def _print_rows(values: dict[str, Any]) -> None:
    for key, value in values.items():
        if key == "accuracy":
            text = "; ".join(f"{head} top-1 {row['top1']:.2%}, top-5 {row['top5']:.2%}" for head, row in value.items())
        elif isinstance(value, dict):
            text = ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
        else:
            text = _words(value)
        print(f"{key.replace('_', ' '):16s} {text or 'none'}")


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)
