"""Findings -> one HTML file that asks nothing of any network, and its manifest for machines."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jinja2 import Environment
from PIL import Image

from ..architecture.spec import BRANCHES, UNITS
from ..drawing.atlas import Atlas
from ..drawing.colormaps import colour_bar
from ..drawing.colormaps import signed as signed_colours
from ..drawing.encoding import data_url, jpeg_bytes
from ..drawing.markup import markup
from ..drawing.overlay import fitted, frame_view, map_on_photo, map_on_view
from ..drawing.palette import BRANCH_NAMES, COLOURS
from ..images.decode import Photo
from ..images.preprocessing import Preprocessing
from ..images.samples import credit_of
from ..trust import QUICK
from . import words
from .collect import CHANNELS_SHOWN, Findings

SIDES = {"photo": 560, "map": 560, "map alone": 448}
"""Longest side of a picture in pixels."""


def manifest(findings: Findings, photo: Photo, *, with_image: bool = True) -> dict[str, Any]:
    """All facts as JSON has them, with the photo's name, or with None for it, and the command that makes them again."""
    facts = findings.facts
    name = photo.name if with_image else None
    credit = credit_of(photo) if with_image else None
    return {
        **facts,
        "image": {"name": name, "credit": credit, "shown": with_image, **facts["image"]},
        "command": command(facts, name),
    }


def command(facts: dict[str, Any], name: str | None) -> str:
    """The command line that makes the report again; IMAGE stands for a photo that stays private."""
    settings, network = facts["settings"], facts["network"]
    target = settings["target"]
    chosen = {
        "head": settings["head"],
        "target": target["index"] if target["minus"] is None else f"{target['index']}-{target['minus']}",
        "layer": settings["layer"],
        "baseline": settings["baseline"],
        "module": settings["module"],
        "steps": settings["steps"],
        "error": settings["error"],
        "limit": settings["limit"],
        "fill": settings["fill"],
        "checkpoint": settings["checkpoint"] or network["checkpoint"],
        "device": network["device"].partition(":")[0],
        "precision": network["precision"],
        "square": facts["image"]["square"],
    }
    image = name or "IMAGE"
    parts = ["python", "-m", "inception_model", "report", f"./{image}" if image.startswith("-") else image]
    parts += ["--out", "report.html"] + ["--without-image"] * (name is None)
    parts += [text for key, value in chosen.items() if value is not None for text in (f"--{key}", str(value))]
    parts += ["--raw"] * settings["raw"]
    parts += ["--method", *settings["methods"]]
    parts += [text for key, value in settings["options"].items() for text in ("--option", f"{key}={value}")]
    if tuple(settings["checks"]) != QUICK:
        parts += [text for name in settings["checks"] for text in ("--check", name)]
    return shlex.join(parts)


def render(findings: Findings, photo: Photo, *, with_image: bool = True) -> str:
    """The whole page. Without the image neither a pixel of the photo nor its name is in it, and maps stand alone."""
    facts = manifest(findings, photo, with_image=with_image)
    return (
        _environment()
        .get_template("template.html")
        .render(
            facts=facts,
            photo=_photo(photo, _preprocessing(facts)) if with_image else None,
            maps=[_map(findings, place, photo if with_image else None) for place in range(len(findings.maps))],
            overview={
                name: {kind: _atlas(atlas) for kind, atlas in branches.items()}
                for name, branches in findings.overview.items()
            },
            every={unit: _atlas(findings.module[unit]) for unit in UNITS},
            shown=CHANNELS_SHOWN,
            ledger=_scale([row["branches"].values() for row in facts["ledger"]["modules"]]),
            ablation=_scale([row["branches"].values() for rows in facts["ablation"]["heads"].values() for row in rows]),
        )
    )


@cache
def _environment() -> Environment:
    environment = markup(Path(__file__).parent)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    environment.globals |= {
        "BRANCHES": BRANCHES,
        "NAMES": BRANCH_NAMES,
        "UNITS": UNITS,
        "light": _variables(0),
        "dark": _variables(1),
        "words": words,
    }
    return environment


def _variables(scheme: int) -> str:
    """The colours of light (0) or dark (1) as CSS."""
    return ";".join(f"--{name}:{pair[scheme]}" for name, pair in COLOURS.items())


def _preprocessing(facts: dict[str, Any]) -> Preprocessing:
    known = facts["network"]["preprocessing"]
    return Preprocessing.from_dict({name: value for name, value in known.items() if name != "words"})


def _scale(rows: Any) -> dict[str, float]:
    """Where zero lies on a bar that holds all these values, and how long a unit is, both in percent of its width."""
    values = [0.0, *(value for row in rows for value in row)]
    low, span = min(values), (max(values) - min(values)) or 1.0
    return {"zero": -100 * low / span, "unit": 100 / span}


def _photo(photo: Photo, preprocessing: Preprocessing) -> dict[str, Any]:
    small = fitted(photo.image, SIDES["photo"])
    frame_view(small, preprocessing.view(small.size, photo.square_on(small.size)), width=2)
    return _picture(small)


def _picture(image: Image.Image) -> dict[str, Any]:
    """A JPEG of the pixels alone: whatever else the photo's file said (comments, places) stays behind."""
    pixels = Image.fromarray(np.array(image.convert("RGB")))
    return {"src": data_url(jpeg_bytes(pixels, quality=86), "image/jpeg"), "width": image.width, "height": image.height}


def _map(findings: Findings, place: int, photo: Photo | None) -> dict[str, Any]:
    """A map on the photo, or alone, with its colour bar."""
    facts, heatmap = findings.facts["maps"][place], findings.maps[place]
    scale = facts["colours_end"]
    if photo is None:
        side = SIDES["map alone"]
        image = Image.fromarray(signed_colours(map_on_view(heatmap, (side, side)), scale))
        kind: Literal["signed", "layer"] = "signed"
    else:
        preprocessing, side = _preprocessing(findings.facts), SIDES["map"]
        image = map_on_photo(photo.image, heatmap, preprocessing, scale=scale, side=side, square=photo.square)
        kind = "layer"
    # Every bar brings its own gradient, and an id is allowed once on a page.
    bar = colour_bar(scale, kind, facts["unit"]).replace(f"bar-{kind}", f"bar-{place}")
    return {"facts": facts, "bar": bar, **_picture(image)}


def _atlas(atlas: Atlas) -> dict[str, Any]:
    width, height = atlas.size
    return {"src": data_url(atlas.png), "width": width, "height": height, "words": atlas.scale_words}
