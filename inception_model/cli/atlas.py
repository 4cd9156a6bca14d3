"""`atlas`: a picture of what it looks for for every channel, and a website of them that needs no server."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..inference.classifier import build, pick_device
from ..inference.plain import describe
from ..progress import Cancelled
from ..visualization.atlas_building import PARTS, begun, build_atlas, fastest_precision, named_places
from ..visualization.places import Place
from ..visualization.settings import BATCH, SIZE, STEPS, Settings
from ..visualization.tiles import (
    INDEX,
    SIDE,
    Recipe,
    TileAtlas,
    atlas_folder,
    cached_folder,
    command,
    count_channels,
    load_atlas,
)
from .common import add_json_option, add_network_options, print_json, require_positive, told


def add_parser(subparsers: Any) -> None:
    """Registers the command and its two actions."""
    parser = subparsers.add_parser("atlas", help="what every channel looks for: build the pictures, write a website")
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|site")
    building = actions.add_parser(
        "build", help="make a tile for every channel; the same command goes on where it ended"
    )
    building.add_argument(
        "--only", nargs="+", default=[], metavar="UNIT",
        help="3a, 4d:5x5, 4d:3x3_reduce, conv2 or stem, also with commas between (default: every unit)",
    )  # fmt: skip
    building.add_argument("--limit", type=int, metavar="N", help="stop after about N tiles, in whole pieces")
    building.add_argument("--steps", type=int, default=STEPS, help=f"of every picture (default {STEPS})")
    building.add_argument("--size", type=int, default=SIZE, help=f"side of a picture in pixels (default {SIZE})")
    building.add_argument("--side", type=int, default=SIDE, help=f"to which a tile is shrunk (default {SIDE})")
    building.add_argument("--seed", type=int, default=Settings.seed, help="same seed, same tiles")
    building.add_argument(
        "--batch", type=int, default=BATCH, help=f"channels made together (default {BATCH}; more are faster on a GPU)"
    )
    building.add_argument("--out", type=Path, metavar="FOLDER", help="default: where the app looks for it")
    add_network_options(building)
    # None: as the folder has it, or the fastest.
    building.set_defaults(precision=None, run=run_build)
    add_json_option(building)
    site = actions.add_parser("site", help="write an atlas as a website of plain files: no server, no other address")
    site.add_argument(
        "--atlas", type=Path, metavar="FOLDER", help="default: the checkpoint's own, where the app finds it"
    )
    site.add_argument("--app", metavar="URL", help="channels also link to this app, such as http://localhost:8501")
    site.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    add_network_options(site)
    site.set_defaults(run=run_site)
    add_json_option(site)


def run_build(args: argparse.Namespace) -> int:
    """Makes what the folder lacks and says how long it took; Ctrl-C keeps what is finished."""
    from ..checkpoints.store import load

    require_positive(args, "limit")
    checkpoint, device = told(load(args.checkpoint)), pick_device(args.device)
    folder: Path = args.out or cached_folder(checkpoint)
    places = named_places(args.only, checkpoint.spec)
    former = begun(folder, checkpoint)
    fastest = former.recipe.precision if former is not None else fastest_precision(device)
    recipe = Recipe(device.type, args.precision or fastest, args.steps, args.size, args.seed, args.side, args.batch)
    classifier = build(checkpoint, args.device, recipe.precision)
    before, cancel, started = former.made if former else 0, threading.Event(), time.perf_counter()
    usual = signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        # A smooth rate: deep units take twice as long as the first ones, which the parts allow for.
        with tqdm(total=PARTS, bar_format="{l_bar}{bar}| {elapsed}, left {remaining}", smoothing=0.05) as bar:

            def progress(done: int, _: int) -> None:
                bar.update(done - bar.n)

            def at(place: Place, done: int, wanted: int) -> None:
                bar.set_description(f"{place}, {done:,} of {wanted:,} tiles")

            found = build_atlas(
                classifier, folder, recipe, places, args.limit, progress=progress, cancel=cancel, told=at
            )
    except Cancelled:
        kept = load_atlas(folder, checkpoint).made
        print(f"stopped: {_so_far(kept, count_channels(checkpoint.spec))} in {folder}; the same command goes on")
        return 130
    finally:
        signal.signal(signal.SIGINT, usual)
    seconds, fresh = time.perf_counter() - started, found.made - before
    _say(args, describe(classifier), found, count_channels(checkpoint.spec), fresh, seconds)
    return 0


def run_site(args: argparse.Namespace) -> int:
    """Writes the website and says how large it is."""
    from ..checkpoints.store import load
    from ..report.site import write_site

    checkpoint = told(load(args.checkpoint))
    folder: Path | None = args.atlas or atlas_folder(checkpoint)
    if folder is None:
        raise ValueError(f"there is no atlas of {checkpoint.name} yet: `{command(args.checkpoint)}` makes one")
    classifier = build(checkpoint, args.device, args.precision)
    files = write_site(classifier, load_atlas(folder, checkpoint), args.out, args.app)
    size = sum(path.stat().st_size for path in files)
    if args.json:
        print_json({**describe(classifier), "out": args.out, "files": len(files), "bytes": size})
        return 0
    print(f"written: {args.out / 'index.html'} and {len(files) - 1} more files, {size / 1e6:.1f} MB in all")
    return 0


def _say(args: argparse.Namespace, network: Any, found: TileAtlas, whole: int, fresh: int, seconds: float) -> None:
    size = sum(path.stat().st_size for path in (found.folder / INDEX, *found.folder.glob("*.webp")))
    grey = sum(tile.grey for sheet in found.sheets.values() for tile in sheet.tiles.values())
    if args.json:
        facts = {"tiles": found.made, "channels": whole, "made": fresh, "grey": grey, "bytes": size}
        print_json({**network, "out": found.folder, **facts, "seconds": round(seconds, 2)})
        return
    pace = f", {seconds / fresh:.2f} s for each of {fresh:,}" if fresh else ""
    print(f"{_so_far(found.made, whole)}, {grey:,} of them grey, {size / 1e6:.1f} MB{pace}: {found.folder}")


def _so_far(made: int, whole: int) -> str:
    return f"{made:,} of {whole:,} tiles"
