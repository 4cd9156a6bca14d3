"""The network in one line: what it offers, what is outlined, and what a choice does on each page."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.figures.network_line import Place, line_svg
from inception_model.architecture.spec import BRANCHES
from inception_model.architecture.variants import get_spec
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier

MAIN = str(Path(__file__).resolve().parents[3] / "app" / "main.py")
HEADS = {"aux1": "4a", "aux2": "4d", "main": "5b"}


def parts(trained: tuple[str, ...] = ("aux1", "aux2", "main"), place: Place | None = None) -> dict[str, ET.Element]:
    """`data-go` -> its element."""
    svg = line_svg(get_spec("paper"), HEADS, trained, place or Place())  # type: ignore[arg-type]
    root = ET.fromstring(str(svg).replace("<svg", '<svg xmlns:x="x"', 1))
    return {node.attrib["data-go"]: node for node in root.iter() if "data-go" in node.attrib}


def test_every_branch_and_every_trained_head_can_be_chosen() -> None:
    spec = get_spec("paper")
    wanted = {f"{name}/{kind}" for name in spec.module_names for kind in BRANCHES}
    assert set(parts()) == wanted | {f"head/{head}" for head in HEADS}
    assert set(parts(("main",))) == wanted | {"head/main"}
    assert all(node.attrib["aria-label"] and node.attrib["tabindex"] == "0" for node in parts().values())


def test_what_a_page_looks_at_is_marked() -> None:
    marked = {go for go, node in parts(place=Place("4d", "5x5", "aux2")).items() if "aria-current" in node.attrib}
    assert marked == {"4d/5x5", "head/aux2"}
    assert not any("aria-current" in node.attrib for node in parts().values())


def chosen(page: str, where: str, **options: object) -> AppTest:
    """A session on a page, after a click on that part of the line."""

    def script(page: str, where: str, options: dict[str, object]) -> None:
        import streamlit as st

        from app.figures import network_line
        from app.state import navigation, selection, session

        for name, value in options.items():
            session.put(f"option.{name.replace('_', '.')}", value)
        network_line.go(page, where)
        st.text(repr((network_line.place_of(page), selection.module(), selection.branch())))
        st.text(str(navigation.take_destination()))

    at = AppTest.from_function(script, kwargs={"page": page, "where": where, "options": options}, default_timeout=60)
    at.run()
    assert not at.exception
    return at


@pytest.mark.parametrize(
    ("page", "where", "options", "place", "leads"),
    [
        ("module", "3b/pool", {}, Place("3b", "pool"), "None"),
        ("cost", "3b/pool", {}, Place("3b"), "None"),
        ("heads", "3b/pool", {}, Place(), "module"),
        ("model", "5a/1x1", {}, Place(), "module"),
        ("why", "3b/pool", {"why_method": "gradcam"}, Place("3b", "pool", "main"), "None"),
        ("why", "3b/pool", {"why_method": "saliency"}, Place(head="main"), "module"),
        ("why", "5b/1x1", {"why_method": "gradcam", "why_head": "aux1"}, Place("4a", None, "aux1"), "module"),
        ("why", "head/aux1", {"why_method": "saliency"}, Place(head="aux1"), "None"),
        ("module", "head/aux1", {}, Place("4d", "5x5"), "heads"),
        ("module", "9z/1x1", {}, Place("4d", "5x5"), "None"),
        ("module", "head/aux9", {}, Place("4d", "5x5"), "None"),
    ],
)
def test_a_choice_stays_where_it_can_be_shown(
    page: str, where: str, options: dict[str, object], place: Place, leads: str
) -> None:
    at = chosen(page, where, **options)
    assert at.text[0].value.startswith(f"({place!r},")
    assert at.text[1].value == leads


def test_a_head_on_its_page_is_followed(bundled_classifier: Classifier, cat: Photo) -> None:
    at = chosen("heads", "head/aux1")
    assert at.text[1].value == "None"
    said = bundled_classifier.heads_of(bundled_classifier.prepare(cat.image)).of("aux1")
    assert at.session_state["scope.option.heads.class"] == int(said.argmax())
