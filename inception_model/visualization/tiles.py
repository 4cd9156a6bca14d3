"""An atlas: one small picture of what it looks for for every channel, in a folder that belongs to one checkpoint.

`atlas.json` says what each tile is; a convolution's tiles lie in one WebP sheet beside it (`4d.5x5.webp`), row by row
in the order of the channels.
"""

from __future__ import annotations

import io
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from ..architecture.spec import NetworkSpec
from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import ASSETS, BUNDLED, Checkpoint, CheckpointError
from ..checkpoints.download import cache_folder
from ..checkpoints.limits import MAX_NAME
from ..checkpoints.messages import reason
from ..checkpoints.plain_json import entries, fields, items, kind, number, parse, whole, words
from .places import Place, all_places
from .result import Visualization
from .settings import BATCH, SIZE, SIZES, STEPS, Settings

FORMAT = "inceptionscope-atlas-1"
INDEX = "atlas.json"
MAX_INDEX = 8 << 20
"""Characters of an index; 7,280 tiles take about one million."""
MAX_SHEET = 16 << 20
"""Bytes of a sheet; 384 tiles take half a million."""
MAX_COUNT = 1 << 20
"""Of steps, of a batch, or of a seed: what can be asked for, so that whatever is made can be read."""
MAX_TEXTS = 40
"""Characters of device and precision together."""

SIDE = 96
"""Pixels of a tile, to which its picture is shrunk: enough to be recognised when it is shown large."""
QUALITY = 40
"""Of the WebP sheets: 7,280 tiles take 10 to 11 MB, and the index one more."""
REMEDY = "make it anew with `atlas build`"


@dataclass(frozen=True)
class Recipe:
    """How every tile of an atlas is made: pictures of `size` pixels in `steps`, `batch` at a time, shrunk to `side`.

    `device`, `precision`: of the network. All of it moves a number or a pixel, so all of it is the same in an atlas.
    """

    device: str
    precision: str
    steps: int = STEPS
    size: int = SIZE
    seed: int = Settings.seed
    side: int = SIDE
    batch: int = BATCH

    def __post_init__(self) -> None:
        """Raises ValueError that says what was found and what is allowed."""
        _ = self.settings
        if not 16 <= self.side <= self.size:
            raise ValueError(f"a tile is 16 to {self.size} pixels wide, as its picture at most; got {self.side}")
        for name, value in (("steps", self.steps), ("seed", self.seed), ("batch", self.batch)):
            if value > MAX_COUNT:
                raise ValueError(f"an atlas takes {name} up to {MAX_COUNT:,}; got {value:,}")
        if len(self.device) + len(self.precision) >= MAX_TEXTS:
            raise ValueError(f"device and precision are short words; got {self.device!r} and {self.precision!r}")

    @property
    def settings(self) -> Settings:
        """What `visualize` is asked for."""
        return Settings(self.steps, self.size, self.seed, batch=self.batch)


@dataclass(frozen=True)
class Tile:
    """A channel's picture: how strong the channel is on it, on the strongest of the sample photos, and which one that
    is (None without photos). `grey`: nothing came of it."""

    channel: int
    seed: int
    objective: float
    natural: float | None
    photo: str | None
    grey: bool

    @classmethod
    def of(cls, made: Visualization, channel: int) -> Tile:
        """What an atlas says of a channel's picture."""
        photo = made.natural
        strength, name = (None, None) if photo is None else (photo.strength, photo.photo)
        return cls(channel, made.settings.seed, float(made.strengths[0]), strength, name, made.grey)

    @property
    def ratio(self) -> float | None:
        """The picture's strength over the photo's; None where no photo raises the channel above zero."""
        return self.objective / self.natural if self.natural is not None and self.natural > 0 else None


@dataclass(frozen=True)
class Sheet:
    """The tiles of one convolution by channel, and how many columns they lie in; a channel's place is its number."""

    columns: int
    tiles: Mapping[int, Tile]

    def position(self, channel: int) -> tuple[int, int]:
        """Column and row of a channel's tile."""
        return channel % self.columns, channel // self.columns


@dataclass(frozen=True)
class TileAtlas:
    """What a folder holds for one checkpoint (`sha256` of its file, `name`); `sheets`: of the convolutions so far."""

    folder: Path
    sha256: str
    name: str
    recipe: Recipe
    sheets: Mapping[Place, Sheet]

    @property
    def made(self) -> int:
        """How many tiles there are."""
        return sum(len(sheet.tiles) for sheet in self.sheets.values())

    def complete(self, place: Place, spec: NetworkSpec) -> bool:
        """Whether every channel of a convolution has its tile."""
        sheet = self.sheets.get(place)
        return sheet is not None and len(sheet.tiles) == place.width(spec)

    def sheet_bytes(self, place: Place) -> bytes:
        """The WebP file of a convolution; raises CheckpointError where it is gone or another picture."""
        path, sheet = self.folder / sheet_name(place), self.sheets[place]
        try:
            if path.stat().st_size > MAX_SHEET:
                raise ValueError(f"more than {MAX_SHEET:,} bytes")
            data = path.read_bytes()
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                columns, rows = image.width / self.recipe.side, image.height / self.recipe.side
            if int.from_bytes(data[4:8], "little") + 8 > len(data):  # what its container says
                raise ValueError("its end is missing")
            if columns != sheet.columns or rows <= max(sheet.tiles) // sheet.columns:
                raise ValueError("another size than its tiles have")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise CheckpointError(f"the tiles in {path.name} can't be used ({_why(error)}): {REMEDY}") from error
        return data

    def readable(self, place: Place) -> bool:
        """Whether a convolution's sheet is there, to its last pixel."""
        try:
            with Image.open(io.BytesIO(self.sheet_bytes(place)), formats=("WEBP",)) as image:
                image.load()
        except (CheckpointError, OSError, ValueError, SyntaxError):
            return False
        return True

    def picture(self, place: Place, channel: int) -> Image.Image:
        """One tile, as the sheet has it."""
        return self.pictures(place, [channel])[channel]

    def pictures(self, place: Place, channels: Iterable[int]) -> dict[int, Image.Image]:
        """Several tiles of a convolution, whose sheet is decoded once; raises CheckpointError as `sheet_bytes` does."""
        side, found, data = self.recipe.side, {}, self.sheet_bytes(place)
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                sheet = image.convert("RGB")
        except (OSError, ValueError) as error:  # its header alone was whole
            raise CheckpointError(f"the tiles in {sheet_name(place)} can't be used: {_why(error)}; {REMEDY}") from error
        for channel in channels:
            column, row = self.sheets[place].position(channel)
            found[channel] = sheet.crop((column * side, row * side, (column + 1) * side, (row + 1) * side))
        return found


def count_channels(spec: NetworkSpec) -> int:
    """How many tiles a whole atlas has: every channel of every branch, of every reduction and of the stem."""
    return sum(place.width(spec) for place in all_places(spec))


def columns_of(width: int) -> int:
    """Of a sheet with that many tiles: about as many as rows, so that no picture gets too long for its format."""
    return math.ceil(math.sqrt(width))


def sheet_name(place: Place) -> str:
    """The file of a convolution's tiles. A file of weights may call its modules what it likes: no path comes of it."""
    return f"{quote(place.node, safe='')}.webp"


def cached_folder(checkpoint: Checkpoint) -> Path:
    """Where a checkpoint's atlas is put unless something else is said: in the cache folder, by their hash."""
    return cache_folder() / "atlas" / (checkpoint.sha256[:16] or "unsaved")


def atlas_folder(checkpoint: Checkpoint) -> Path | None:
    """Where an atlas of the checkpoint is found: in the cache folder, or where it came with the bundled one. Of two
    the one with more tiles, so that a few made on trial don't hide a whole one."""
    shipped = (ASSETS / "atlas",) if checkpoint.name == BUNDLED else ()
    found: list[Path] = [folder for folder in (cached_folder(checkpoint), *shipped) if (folder / INDEX).is_file()]
    if len(found) < 2:
        return found[0] if found else None

    def tiles(folder: Path) -> int:
        stat = (folder / INDEX).stat()
        return _tiles_of(folder / INDEX, (stat.st_mtime_ns, stat.st_size), checkpoint.sha256)

    return max(found, key=tiles)


@lru_cache(maxsize=16)
def _tiles_of(path: Path, stamp: tuple[int, int], sha256: str) -> int:
    """How many tiles an index names for these weights, 0 for one that can't be read; once for every `stamp` (time and
    length), because every run of a page asks."""
    try:
        told = parse(path.read_bytes(), MAX_INDEX, "it")
        return sum(len(unit["tiles"]) for unit in told["units"].values()) if told["checkpoint"] == sha256 else 0
    except (CheckpointError, OSError, AttributeError, KeyError, TypeError):
        return 0


def command(checkpoint: str) -> str:
    """What makes the atlas of a checkpoint (a name or a path)."""
    return "inceptionscope atlas build" + ("" if checkpoint == BUNDLED else f" --checkpoint {shlex.quote(checkpoint)}")


def load_atlas(folder: Path, checkpoint: Checkpoint, remedy: str = REMEDY) -> TileAtlas:
    """What is in a folder, which is untrusted input and must be of this checkpoint; raises CheckpointError if not, and
    says `remedy`."""
    path = folder / INDEX
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no atlas: `atlas build --out {folder}` makes one")
    try:
        text = path.read_bytes()
        told = parse(text, MAX_INDEX, "it")
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise CheckpointError(f"it is no {FORMAT}")
        told = fields(told, "it", ("format", "checkpoint", "name", "recipe", "units"))
        sha256 = told["checkpoint"]
        require_made_for(checkpoint, sha256 if isinstance(sha256, str) else "", "its tiles were made for", remedy)
        recipe = _recipe(told["recipe"])
        places = {str(place): place for place in all_places(checkpoint.spec)}
        units = entries(told["units"], "its list of units", len(places))
        if unknown := [name for name in units if name not in places]:
            raise CheckpointError(f"{len(unknown)} of its units are not in this network")
        sheets = {places[name]: _sheet(value, places[name].width(checkpoint.spec)) for name, value in units.items()}
    except (CheckpointError, OSError) as error:
        said = error if isinstance(error, CheckpointError) else (error.strerror or type(error).__name__)
        end = "" if str(said).endswith(remedy) else f": {remedy}"
        # By its name alone: the app shows this sentence, and where files lie is nobody's business there.
        raise CheckpointError(f"the atlas in {folder.name} can't be used: {said}{end}") from error
    return TileAtlas(folder, checkpoint.sha256, checkpoint.name, recipe, sheets)


def index_of(atlas: TileAtlas, spec: NetworkSpec) -> dict[str, Any]:
    """An atlas as its index holds it, its units in the order of the image's way. A tile's x and y count tiles."""
    units = {}
    for place in all_places(spec):
        if place in atlas.sheets:
            sheet = atlas.sheets[place]
            rows = [_told(sheet, tile) for _, tile in sorted(sheet.tiles.items())]
            units[str(place)] = {"sheet": sheet_name(place), "columns": sheet.columns, "tiles": rows}
    return {
        "format": FORMAT,
        "checkpoint": atlas.sha256,
        "name": atlas.name,
        "recipe": asdict(atlas.recipe),
        "units": units,
    }


def _why(error: Exception) -> str:
    """A reason without the path that the system's own has."""
    return error.strerror or "unreadable" if isinstance(error, OSError) else reason(error)


def _told(sheet: Sheet, tile: Tile) -> dict[str, Any]:
    x, y = sheet.position(tile.channel)
    ratio = None if tile.ratio is None else round(tile.ratio, 4)
    return {**asdict(tile), "ratio": ratio, "x": x, "y": y}


def _recipe(value: Any) -> Recipe:
    found = fields(value, "its recipe", Recipe.__dataclass_fields__)
    device, precision = (found[name] for name in ("device", "precision"))
    if not (isinstance(device, str) and isinstance(precision, str) and len(device) + len(precision) < MAX_TEXTS):
        raise CheckpointError("its device or precision is no short text")
    numbers = {name: whole(found[name], name, 0, MAX_COUNT) for name in ("steps", "seed", "batch")}
    sizes = {name: whole(found[name], name, 1, SIZES[1]) for name in ("size", "side")}
    try:
        return Recipe(device, precision, **numbers, **sizes)
    except ValueError as error:
        raise CheckpointError(f"its recipe cannot be: {error}") from None


def _sheet(value: Any, width: int) -> Sheet:
    found = fields(value, "a unit", ("sheet", "columns", "tiles"))  # the file's name is never taken from here
    columns = whole(found["columns"], "a unit's columns", columns_of(width), columns_of(width))
    tiles = [_tile(row, width) for row in items(found["tiles"], "a unit's list of tiles", width)]
    by_channel = {tile.channel: tile for tile in tiles}
    if not tiles or len(by_channel) < len(tiles):
        raise CheckpointError("a unit has no tile, or two of one channel")
    return Sheet(columns, by_channel)


def _tile(value: Any, width: int) -> Tile:
    names = (*Tile.__dataclass_fields__, "ratio", "x", "y")
    found = fields(value, "a tile", names)
    photo, natural = found["photo"], found["natural"]
    if type(found["grey"]) is not bool:
        raise CheckpointError(f"whether a tile is grey is {kind(found['grey'])}, where a truth value is expected")
    return Tile(
        whole(found["channel"], "a tile's channel", 0, width - 1),
        whole(found["seed"], "a tile's seed", 0, MAX_COUNT),
        number(found["objective"], "a tile's objective"),
        None if natural is None else number(natural, "a tile's natural strength"),
        None if photo is None else words(photo, "a tile's photo", MAX_NAME),
        found["grey"],
    )
