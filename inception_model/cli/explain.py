"""`explain`: why a head says a class of one image, as an overlay, raw values and numbers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from ..architecture.spec import DEFAULT_HEAD
from ..attribution import DEFAULT_METHOD, METHODS, Attribution, explain, find_method
from ..attribution.lrp import COMPOSITES
from ..attribution.options import read_pairs
from ..attribution.reading import arrays
from ..images.baselines import BASELINES, DEFAULT_BASELINE
from ..images.decode import Photo, open_photo
from ..inference.classifier import Classifier
from ..inference.plain import describe
from ..inference.targets import AUTO, FORMS
from ..trust import CHECKS, Badge, evidence
from ..trust.explanation import explanation, overlay
from .checking import check_argument, checks_from
from .common import (
    aimed,
    classifier_from,
    finish,
    image_argument,
    print_json,
    square_argument,
)


def add_parser(subparsers: Any) -> None:
    """Registers the command; `--help` lists every method with its options."""
    parser = subparsers.add_parser(
        "explain",
        help="what in an image speaks for a class",
        epilog=_methods_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    image_argument(parser)
    square_argument(parser)
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="NAME", help="see below")
    parser.add_argument("--head", default=DEFAULT_HEAD, metavar="HEAD", help="main, aux1 or aux2")
    parser.add_argument("--target", default=AUTO, metavar="CLASS", help=FORMS)
    parser.add_argument("--layer", metavar="MODULE[:BRANCH]", help="for methods of a layer, such as 5b or 4d:5x5")
    parser.add_argument("--baseline", default=DEFAULT_BASELINE, metavar="NAME", help=f"one of: {', '.join(BASELINES)}")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    check_argument(parser, "none")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the three files go")
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes NAME.png, NAME.npz and NAME.json into the folder and prints the numbers."""
    find_method(args.method)  # a misspelt name is told before the network is loaded
    options, checks = read_pairs(args.option), checks_from(args)
    classifier = classifier_from(args)
    photo = aimed(open_photo(args.image), args)
    x = classifier.prepare(photo.image, photo.square)
    result = explain(
        classifier,
        x,
        args.method,
        args.head,
        args.target,
        layer=args.layer,
        baseline=args.baseline,
        options=options,
    )
    badge = _checked(classifier, x, result, checks, quiet=args.json) if checks else None
    answer = {**describe(classifier), "path": str(args.image), "square": args.square, **explanation(result, badge)}
    write_files(classifier, photo, result, answer, args.out, args.image.stem)
    if args.json:
        print_json(answer)
    else:
        if args.square:
            print(f"square {args.square} of {args.image}")
        _print(result, answer["files"])
        for found in badge.evidence if badge else ():
            print(f"{found.name}: {found.sentence}")
        if badge:
            print(f"Trust: {badge.state}.")
    return 0


def _checked(classifier: Classifier, x: Tensor, result: Attribution, checks: tuple[str, ...], *, quiet: bool) -> Badge:
    """The checks of a map, with their cost and progress on the terminal."""
    method, spec = METHODS[result.method], classifier.checkpoint.spec
    map_cost = method.cost(result.options, classifier.preprocessing.size)
    cost = sum(CHECKS[name].cost(spec, result.head, map_cost, result.method) for name in checks)
    if not quiet:
        print(f"Checking: as long as about {cost:.0f} forward passes.", flush=True)
    with tqdm(total=1.0, desc="checks", bar_format="{desc}: {percentage:.0f}%{bar}", disable=quiet or None) as bar:
        return evidence(classifier, x, result, checks, progress=lambda done, total: bar.update(done / total - bar.n))


def write_files(
    classifier: Classifier, photo: Photo, result: Attribution, answer: dict[str, Any], folder: Path, stem: str
) -> None:
    """Overlay, raw arrays (values, heatmap, baselines, relevance by channel) and the numbers; adds their paths to the
    answer as `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    layer = "" if result.layer is None else f"-{result.layer.replace(':', '_')}"
    name = f"{stem}-{result.method}{layer}-{result.head}"
    files = answer["files"] = {kind: str(folder / f"{name}.{kind}") for kind in ("png", "npz", "json")}
    overlay(classifier, photo, result).save(files["png"])
    np.savez_compressed(files["npz"], **arrays(result))  # type: ignore[arg-type]
    Path(files["json"]).write_text(json.dumps(answer, indent=2) + "\n")


def _print(result: Attribution, files: dict[str, str]) -> None:
    where = f" at {result.layer}" if result.layer else ""
    print(f"{METHODS[result.method].label}{where}: {result.head} -> {result.target.name}, score {result.score:+.3f}")
    if result.baseline_score is not None:
        print(f"baseline {result.baseline}: score {result.baseline_score:+.3f}")
    if result.completeness_error is not None:
        print(f"sum of attributions {result.total:+.3f}, completeness error {result.completeness_error:.2%}")
    path = result.integration
    if path is not None:
        doubled = "" if path.moved is None else f" Its last doubling moved the map by {path.moved:.1%}."
        print(f"{path.words}{doubled}")
    if result.conservation is not None:
        print(result.conservation.sentence)
        print(f"{result.conservation.composite}: {COMPOSITES[result.conservation.composite].words}")
    print(METHODS[result.method].reading)
    if result.note:
        print(result.note)
    print(f"{result.seconds:.2f} s; written: {', '.join(files.values())}")


def _methods_text() -> str:
    lines = ["methods (cost in forward passes) and their options:"]
    for method in METHODS.values():
        needs = f", needs a {' and a '.join(method.needs)}" if method.needs else ""
        lines.append(f"  {method.name}  (about {method.cost():.0f}{needs})")
        lines += [f"      {o.name}={o.default}  {o.help}; allowed: {o.allowed}" for o in method.options]
    return "\n".join(lines)
