"""`localize`: do maps point at the boxed object, or at the right photo of a mosaic?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..architecture.spec import HEADS
from ..attribution import METHODS as ALL_METHODS
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..training.data import LabelledImages, open_dataset
from ..trust.localization import METHODS, BoxedImages, read_boxes
from ..trust.measuring import AIMS, BASELINES, DEFAULT_AIM, Results, Row, Trials, measure
from ..trust.mosaic import Mosaics
from .common import (
    add_batch_option,
    add_network_options,
    add_split_option,
    classifier_from,
    print_json,
    require_positive,
)

TITLES = {"pointing": "pointing game", "energy": "energy in the box", "rank": "rank accuracy", "focus": "Focus"}


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("localize", help="do maps point at the boxed object?")
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="Parquet shards with bbox, or ImageFolder with --boxes; or a FILE of --json, whose table is printed",
    )
    parser.add_argument("--boxes", type=Path, metavar="CSV", help="path,x0,y0,x1,y1; paths from DATA")
    parser.add_argument(
        "--method",
        "--methods",
        action="append",
        choices=(*ALL_METHODS, "all"),
        metavar="NAME",
        help=f"or all; default: {', '.join(METHODS)}",
    )
    parser.add_argument(
        "--head", "--heads", action="append", choices=(*HEADS, "all"), help="default: every trained head"
    )
    parser.add_argument("--limit", type=int, help="only N images, evenly spread over the data; N mosaics")
    add_split_option(parser)
    parser.add_argument("--target", default=DEFAULT_AIM, choices=AIMS, help="class that the maps are for")
    add_batch_option(parser)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    _add_mosaic_options(parser)
    add_network_options(parser)
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="print JSON for machines; with FILE, save all results there after every batch and go on where it stops",
    )
    parser.set_defaults(run=run)


def _add_mosaic_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mosaic",
        nargs="?",
        const="focus",
        choices=("focus", "grid"),
        help="mosaics of 2 x 2 photos instead of boxes: focus (default) has two photos of the target class, grid one",
    )
    parser.add_argument("--known", action="store_true", help="mosaics of photos only that every asked head knows")
    parser.add_argument("--tile", type=int, help="a photo's side in the mosaic (default: the network's own)")
    parser.add_argument("--seed", type=int, default=0, help="decides the mosaics")


def run(args: argparse.Namespace) -> int:
    """Prints a row per head and method, or Markdown, or JSON; Ctrl-C prints what is there."""
    require_positive(args, "batch", "limit", "tile")
    if args.data.is_file():
        _show(args, Results.read(args.data), None)
        return 0
    if args.mosaic and (args.target != "true" or args.boxes is not None):
        raise ValueError("--mosaic asks for the class of one of its photos: it goes without --target and --boxes")
    if not args.mosaic and (args.known or args.tile is not None):
        raise ValueError("--known and --tile are about mosaics: add --mosaic")
    classifier = classifier_from(args)
    methods = tuple(ALL_METHODS) if "all" in (args.method or ()) else args.method or METHODS
    heads = classifier.trained_heads if "all" in (args.head or ("all",)) else args.head
    images = open_dataset(args.data, args.split, classifier.checkpoint.labels)
    trials = _trials(args, classifier, images, heads)
    file = None if args.json in (None, "-") else Path(args.json)
    found: list[Results] = []
    with tqdm(total=len(trials), unit="img", desc="localize", dynamic_ncols=True) as bar:
        try:
            measure(
                classifier,
                trials,
                methods,
                heads,
                aim=args.target,
                batch=args.batch,
                file=file,
                progress=lambda seen, _: bar.update(seen - bar.n),
                into=found,
            )
        except KeyboardInterrupt:
            bar.close()
            _stopped(args, found, file, classifier)
            return 130
    _show(args, found[0], classifier)
    return 0


def _trials(args: argparse.Namespace, classifier: Classifier, images: LabelledImages, heads: Sequence[str]) -> Trials:
    if args.mosaic:
        return Mosaics(
            classifier,
            images,
            heads,
            layout=args.mosaic,
            count=args.limit,
            seed=args.seed,
            tile=args.tile,
            known=args.known,
        )
    if args.boxes is not None:
        images = read_boxes(args.boxes, images, args.data)
    return BoxedImages(classifier.preprocessing, images.spread(args.limit))


def _stopped(args: argparse.Namespace, found: list[Results], file: Path | None, classifier: Classifier) -> None:
    done = found[0].done if found else 0
    if found and found[0].records:
        _show(args, found[0], classifier)
    kept = "" if file is None or not done else f"; {file} has them, and the same command goes on from there"
    print(f"stopped after {done} of {found[0].settings['pictures'] if found else '?'}{kept}", file=sys.stderr)


def _show(args: argparse.Namespace, results: Results, classifier: Classifier | None) -> None:
    if args.json == "-":
        print_json({**(describe(classifier) if classifier else {}), **summary(results)})
    else:
        print("\n".join(markdown(results) if args.markdown else text(results)))


def summary(results: Results) -> dict[str, Any]:
    """What is printed as JSON: the settings, how many pictures there were, and the rows; no single marks."""
    rows = [row.as_json() for row in results.rows()]
    return {
        **results.settings,
        "images": len(results.records),
        "classes": len({record["label"] for record in results.records}),
        "left_out": results.done - len(results.records),
        "seconds": round(results.seconds, 1),
        "rows": [row for row in rows if row["method"] not in BASELINES],
        "baselines": [row for row in rows if row["method"] in BASELINES],
    }


def _cells(row: Row, measures: Sequence[str]) -> list[str]:
    label = BASELINES.get(row.method) or ALL_METHODS[row.method].label
    return [label, row.head, *(_cell(row, measure) for measure in measures)]


def _cell(row: Row, measure: str) -> str:
    if measure not in row.values:
        return "none"
    low, high = row.intervals[measure]
    return f"{row.values[measure]:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def title(results: Results) -> str:
    """What was measured, in a line."""
    asked, count = results.settings, len(results.records)
    classes = len({record["label"] for record in results.records})
    left_out = results.done - count
    stopped = f" of {asked['pictures']}" if results.done < asked["pictures"] else ""
    ends = f"95% intervals in brackets; {results.seconds:.0f} s"
    if asked["kind"] == "boxes":
        hidden = f", {left_out} left out because their box is out of view" if left_out else ""
        return (
            f"{count}{stopped} images of {classes} classes{hidden}; maps for the {asked['aim']} class; "
            f"a hit may miss the box by {asked['tolerance']:g} px; {ends}"
        )
    layout = "two photos of the target class and two of others" if asked["kind"] == "focus" else "four classes"
    known = f", all known to {', '.join(asked['known_heads'])}" if asked["known"] else ""
    return (
        f"{count}{stopped} mosaics of {layout} ({asked['tile']} px each{known}), {classes} target classes, "
        f"seed {asked['seed']}; {ends}"
    )


def text(results: Results) -> list[str]:
    """The table for a terminal."""
    measures = results.settings["measures"]
    rows = [["method", "head", *measures], *(_cells(row, measures) for row in results.rows())]
    return [
        title(results),
        *(f"{a:22}{b:6}{''.join(f'{c:>24}' for c in rest)}" for a, b, *rest in rows),
        *_notes(results),
    ]


def markdown(results: Results) -> list[str]:
    """The table for a model card."""
    measures = results.settings["measures"]
    rows = [["method", "head", *(TITLES[name] for name in measures)], ["---", "---", *["---:"] * len(measures)]]
    rows += [_cells(row, measures) for row in results.rows()]
    return [title(results), "", *(f"| {' | '.join(row)} |" for row in rows), *_notes(results)]


def _notes(results: Results) -> list[str]:
    rows = [row for row in results.rows() if row.method not in BASELINES]
    notes = []
    if empty := [f"{row.method} at {row.head}: {row.empty}" for row in rows if row.empty]:
        notes.append(f"Maps without any positive value count as 0 ({', '.join(sorted(empty))}).")
    if any(low == high for row in rows for low, high in row.intervals.values()):
        notes.append("An interval without width says that all pictures agree, not that the number is certain.")
    return ["", *notes] if notes else []
