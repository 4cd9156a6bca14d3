"""`report`: everything about one image as one HTML file that needs no network, and as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..analysis.probes import load_probes, probes_path
from ..architecture.spec import HEADS
from ..attribution import METHODS, find_method
from ..attribution.options import read_pairs
from ..images.baselines import BASELINES
from ..images.decode import Photo, open_photo
from ..images.samples import available_samples, sample_photo
from ..images.stimuli import sample_stimuli
from ..inference.targets import FORMS
from ..report import METHODS_SHOWN, Settings, collect, manifest, render, save
from ..report.saving import require_place
from ..trust import QUICK
from .checking import check_argument, checks_from
from .common import (
    add_fill_option,
    add_path_options,
    add_raw_option,
    aimed,
    classifier_from,
    finish,
    known_from,
    print_json,
    square_argument,
)

DEFAULTS = Settings()


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("report", help="one HTML file with pictures, tables, settings and versions")
    parser.add_argument("image", metavar="IMAGE", help="a file, or the name of a photo or picture that the app offers")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="the page")
    parser.add_argument("--manifest", type=Path, metavar="FILE.json", help="the same facts for machines, in a file too")
    parser.add_argument("--without-image", action="store_true", help="leave out the photo and its name")
    parser.add_argument("--head", default=DEFAULTS.head, choices=HEADS)
    parser.add_argument("--target", default=DEFAULTS.target, help=f"{FORMS} (auto: the head's best class)")
    parser.add_argument(
        "--method",
        nargs="*",
        action="extend",
        metavar="NAME",
        help=f"maps to draw, of: {', '.join(METHODS)} (default: {' '.join(METHODS_SHOWN)})",
    )
    parser.add_argument(
        "--layer", metavar="MODULE[:BRANCH]", help="for methods of a layer (default: the head's module)"
    )
    parser.add_argument(
        "--baseline", default=DEFAULTS.baseline, choices=tuple(BASELINES), help="of the maps and the ledger"
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the methods that have it"
    )
    parser.add_argument(
        "--module", default=DEFAULTS.module, help="the module that is shown with every channel (default %(default)s)"
    )
    add_path_options(parser)
    check_argument(parser, " ".join(QUICK))
    add_fill_option(parser)
    square_argument(parser)
    add_raw_option(parser)
    finish(parser, run)


def run(args: argparse.Namespace) -> int:
    """Writes the page (and the manifest), and prints what was written, or the manifest."""
    for path in filter(None, (args.out, args.manifest)):
        require_place(path)
    methods = METHODS_SHOWN if args.method is None else tuple(dict.fromkeys(args.method))
    for name in methods:
        find_method(name)
    checks = checks_from(args, QUICK)
    photo = aimed(named_photo(args.image), args)
    settings = Settings(
        head=args.head,
        target=args.target,
        methods=methods,
        layer=args.layer,
        baseline=args.baseline,
        options=tuple(read_pairs(args.option).items()),
        module=args.module,
        steps=args.steps,
        error=args.error,
        limit=args.limit,
        fill=args.fill,
        checkpoint=Path(args.checkpoint).name,
        checks=checks,
        raw=args.raw,
    )
    classifier = classifier_from(args)
    path = probes_path(args.checkpoint)
    probes = load_probes(path, classifier.checkpoint) if path.is_file() else None
    known = known_from(args, classifier)
    with tqdm(
        total=1000, desc="report", disable=None, leave=False, bar_format="{desc}: {percentage:3.0f}% |{bar}|"
    ) as bar:
        findings = collect(
            classifier,
            photo,
            settings,
            probes=probes,
            known=known,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    shown = not args.without_image
    facts = manifest(findings, photo, with_image=shown)
    save(render(findings, photo, with_image=shown), args.out)
    if args.manifest is not None:
        save(json.dumps(facts, indent=2) + "\n", args.manifest)
    if args.json:
        print_json(facts)
    else:
        print(f"written: {', '.join(str(path) for path in (args.out, args.manifest) if path)}")
        print(f"made again by: {facts['command']}")
    return 0


def named_photo(text: str) -> Photo:
    """A file, or, where there is none of that name, the sample photo or generated picture that the app calls so."""
    if not Path(text).exists():
        if text in {sample.name for sample in available_samples()}:
            return sample_photo(text)
        for photo in sample_stimuli():
            if photo.name == text:
                return photo
    return open_photo(Path(text))
