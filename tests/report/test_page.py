"""The report's page: it asks nothing of a network, names stay text, and it keeps a photo to itself if asked."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import numpy as np
from PIL import Image

from inception_model.architecture.spec import BRANCHES, UNITS
from inception_model.images.decode import Photo
from inception_model.report import Findings, manifest
from tests.report.pages import COMMENT, NAME, Elements, pictures


def test_the_manifest_in_the_page_is_the_manifest(findings: Findings, photo: Photo, pages: dict[bool, str]) -> None:
    for shown, page in pages.items():
        scripts = [element for element in Elements(page).found if element[0] == "script"]
        assert scripts == [("script", {"type": "application/json", "id": "manifest"})]
        inside = json.loads("".join(Elements(page).text("script")))
        assert inside == manifest(findings, photo, with_image=shown)
        assert inside["image"]["sha256"] == photo.sha256
        assert inside["format"] == "inceptionscope-report"


def test_names_stay_text(findings: Findings, pages: dict[bool, str]) -> None:
    elements = Elements(pages[True])
    assert any(NAME in text for text in elements.text("figcaption"))
    assert not [(tag, name) for tag, known in elements.found for name in known if name.startswith("on")]
    assert not [text for text in elements.text("b") if text == "thing"]
    assert any("<b>thing</b> 3 & co" in text for text in elements.text("h2"))


def test_nothing_on_the_page_asks_a_network(pages: dict[bool, str]) -> None:
    for page in pages.values():
        elements = Elements(page)
        policies = [known["content"] for known in elements.of("meta") if "http-equiv" in known]
        assert len(policies) == 1
        assert policies[0].startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
        assert elements.found[1:3] == [("head", {}), ("meta", {"charset": "utf-8"})]
        assert not {"link", "iframe", "object", "embed", "base", "form", "a", "audio", "video"} & {
            tag for tag, _ in elements.found
        }
        assert not [known for _, known in elements.found if {"href", "srcset", "action", "background"} & set(known)]
        styles = "".join(elements.text("style")) + "".join(known.get("style", "") for _, known in elements.found)
        assert "@import" not in styles
        assert set(re.findall(r"url\([^)]*\)", styles)) == set()
        assert set(re.findall(r"url\([^)]*\)", page)) <= {"url(#bar-0)", "url(#bar-1)"}


def green(image: Image.Image) -> int:
    """Pixels that are clearly green."""
    values = np.asarray(image.convert("RGB")).astype(int)
    return int((values[..., 1] - np.maximum(values[..., 0], values[..., 2]) > 60).sum())


def test_without_the_photo_no_pixel_and_no_name_is_left(
    findings: Findings, photo: Photo, pages: dict[bool, str]
) -> None:
    shown, hidden = (sum(map(green, pictures(pages[key]))) for key in (True, False))
    assert shown > 20_000
    assert hidden == 0
    assert len(pictures(pages[True])) == len(pictures(pages[False])) + 1
    said = json.loads("".join(Elements(pages[False]).text("script")))
    assert (said["image"]["name"], said["image"]["shown"]) == (None, False)
    assert "holiday" in pages[True]
    assert "holiday" not in pages[False]
    assert "report IMAGE --out report.html --without-image" in said["command"]
    # What a session remembers, and shares with whoever has the same bytes, knows neither.
    assert "holiday" not in repr(findings.facts)
    assert not [name for name in (field.name for field in dataclasses.fields(findings)) if "photo" in name]


def test_what_else_the_photo_s_file_says_stays_behind(photo: Photo, pages: dict[bool, str]) -> None:
    assert photo.image.info.get("comment") == COMMENT or COMMENT not in photo.image.tobytes()
    for image in pictures(pages[True]):
        assert not {"comment", "exif", "icc_profile", "xmp"} & set(image.info)
    assert base64.b64encode(COMMENT[:18]).decode() not in pages[True]


def test_every_picture_has_words_and_every_section_a_sentence_with_numbers(pages: dict[bool, str]) -> None:
    for page in pages.values():
        elements = Elements(page)
        assert all(len(image["alt"]) > 20 for image in elements.of("img"))
        assert len({image["alt"] for image in elements.of("img")}) == len(elements.of("img"))
        assert all(known.get("aria-label") for known in elements.of("svg"))
        sentences = elements.text("p cap")
        assert len(sentences) == len(elements.of("h2")) + 1
        for sentence in sentences[:-1]:
            assert re.search(r"\d", sentence), sentence
            assert re.search(r"[Pp]aper, (Figure|section|Table)", sentence), sentence
        assert [known["aria-label"] for known in elements.of("section")][:3] == ["aux1", "aux2", "main"]
        assert any("Never trained in this checkpoint" in text for text in elements.text("p note"))
        assert len(elements.of("table")) == 5


def test_the_branches_of_the_page_are_all_there(pages: dict[bool, str], findings: Findings) -> None:
    atlases = [image for image in Elements(pages[False]).of("img") if "strongest channels" in image["alt"]]
    assert len(atlases) == 9 * len(BRANCHES)
    assert len(pictures(pages[False])) == len(atlases) + len(UNITS) + len(findings.maps)
