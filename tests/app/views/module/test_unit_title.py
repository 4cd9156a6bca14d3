"""The line below the picked channel's title: what it is strongest for, of what was measured and of nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.state import network
from app.views.module import unit_title
from inception_model.circuits.families import FAMILIES, Families
from inception_model.examples.index import Index, load_index
from inception_model.serving.service import InferenceService
from tests.app.views.module.test_strongest import CHANNEL, PLACE, app, indexed

__all__ = ["app", "indexed"]  # fixtures


def title(page: AppTest) -> str:
    """The line on the page; empty where there is none."""
    bodies = [element.proto.body for element in page.get("html")]
    return " ".join(body for body in bodies if "strongest for" in body)


def test_the_line_names_classes_with_their_share_and_families_before_them() -> None:
    zebras = Counter({"zebra": 4, "tiger": 1, "cup": 1, "car": 1, "cat": 1, "dog": 1})
    assert unit_title.line([], zebras) == "strongest for: zebra (4 of 9), tiger"
    assert unit_title.line(["orientation"], Counter({"zebra": 4, "cup": 5})) == (
        "strongest for: orientation; cup (5 of 9), zebra (4)"
    )
    assert unit_title.line([], Counter({"zebra": 3, **{str(each): 1 for each in range(6)}})) == (
        "strongest for: zebra (3 of 9), 0"
    )
    assert unit_title.line([], Counter({"zebra": 1})) == "strongest for: zebra (1 of 1)"
    mixed = Counter({"zebra": 2, **{str(each): 1 for each in range(7)}})
    assert unit_title.line([], mixed) == "strongest for nothing in particular"
    assert unit_title.line(["curves", "colour"], mixed) == "strongest for: curves, colour; no class in particular"
    assert unit_title.line(["curves"], None) == "strongest for: curves"
    assert unit_title.line([], None) == unit_title.line([], Counter()) == ""


def test_the_page_tells_it_from_the_index_and_from_known_families(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, folder, _ = indexed
    found = load_index(folder, service.classifier.checkpoint)
    counts = Counter(int(found.labels[example.image]) for example in found.examples("activation", PLACE, CHANNEL))
    named = unit_title.line([], {f"thing {label}": count for label, count in counts.items()})
    assert named.startswith("strongest for: thing ")
    assert f"of {sum(counts.values())})" in named
    assert f">{named}<" in title(app("module", data=None))
    assert title(app("module", index=None, data=None)) == ""

    width = network.spec().block("4d").out_channels
    nobody = np.zeros(width, dtype=bool)
    everybody = {name: np.full(width, name == "orientation") for name in FAMILIES}
    known = Families("4d", everybody, nobody, nobody)
    monkeypatch.setattr("app.views.module.unit_cards.known_families", lambda module: known)
    assert f">{named.replace('for: ', 'for: orientation; ')}<" in title(app("module", data=None))
    assert ">strongest for: orientation<" in title(app("module", index=None, data=None))
    silent = replace(known, silent=~nobody)
    monkeypatch.setattr("app.views.module.unit_cards.known_families", lambda module: silent)
    assert title(app("module", index=None, data=None)) == ""


def test_names_of_classes_are_text(app: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(found: Index, unit: object, kind: str) -> Counter[str]:
        return Counter({"<img src=x>": 2})

    monkeypatch.setattr(unit_title, "classes_of", hostile)
    told = title(app("module", data=None))
    assert "strongest for: &lt;img src=x&gt; (2 of 2)" in told
    assert "<img" not in told
