"""The sentence above the heads, and the searchable list of classes on the page Model, in the browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from inception_model.analysis.confusions import confusions_path, load_confusions
from inception_model.analysis.doubt import Doubt, doubt_of
from inception_model.analysis.ood_file import known_path, load_known
from inception_model.checkpoints.checkpoint import BUNDLED
from inception_model.drawing.numbers import short
from inception_model.images.decode import Photo
from inception_model.images.samples import sample_photos
from inception_model.images.stimuli import sample_stimuli
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture

from . import screen
from .conftest import OpenPage


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The app, open for both tests."""
    page = kept_page()
    screen.open_app(page, app_url)
    return page


def doubts(classifier: Classifier, photos: tuple[Photo, ...]) -> dict[str, Doubt]:
    """By the photo's name: what the library says of it."""
    path = known_path(BUNDLED)
    known = load_known(path, classifier.checkpoint) if path.is_file() else None
    found = {}
    for photo in photos:
        doubt = doubt_of(classifier, capture(classifier, classifier.prepare(photo.image)), known)
        assert doubt is not None
        found[photo.name] = doubt
    return found


def test_the_sentence_stands_above_the_heads_and_goes_with_the_photo(
    opened: Page, bundled_classifier: Classifier
) -> None:
    page = opened
    said = doubts(bundled_classifier, (*sample_photos(), *sample_stimuli()))
    silent = next(name for name, doubt in said.items() if not doubt.sentence)
    spoken = next(name for name, doubt in reversed(said.items()) if doubt.unlike or doubt.unsure)
    screen.resize(page, "desktop")
    screen.go(page, "Look")
    note = page.locator(".scope-doubt")
    for name in (spoken, silent):
        screen.click(screen.film(page, name))
        if not said[name].sentence:
            expect(note).to_have_count(0)
            continue
        expect(note).to_have_text(said[name].sentence)
        main = page.get_by_role("region", name="aux1", exact=True)
        above, below = note.bounding_box(), main.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
        screen.assert_fits(page)
    screen.resize(page, "phone")
    screen.click(screen.film(page, spoken))
    screen.assert_fits(page)
    screen.go(page, "Heads")
    expect(note).to_have_text(said[spoken].sentence)
    screen.assert_fits(page)


def test_classes_are_searched_and_sorted_in_the_browser(opened: Page, bundled_classifier: Classifier) -> None:
    page = opened
    checkpoint = bundled_classifier.checkpoint
    path = confusions_path(BUNDLED)
    counted = load_confusions(path, checkpoint) if path.is_file() else None
    screen.resize(page, "desktop")
    screen.go(page, "Model")
    field = page.get_by_role("searchbox", name="Search")
    classes = page.get_by_role("region", name=re.compile("^All classes"))
    lines = classes.get_by_role("row")
    expect(lines).to_have_count(1 + len(checkpoint.labels))
    screen.fill(field, "golden retriever")
    expect(lines).to_have_count(2)
    expect(lines.nth(1)).to_contain_text("golden retriever")
    if counted is not None:
        index = next(label.index for label in checkpoint.labels if "golden retriever" in label.words)
        share, taken = counted.top1("main")[index], counted.taken_for("main", index)
        assert share is not None
        assert taken is not None
        expect(lines.nth(1)).to_contain_text(f"{share:.0%}")
        expect(lines.nth(1)).to_contain_text(f"{short(checkpoint.label(taken[0]).words)} ({taken[1]})")
    screen.fill(field, checkpoint.labels[5].wnid)
    expect(lines).to_have_count(2)
    screen.fill(field, "no such thing")
    expect(page.get_by_text(re.compile(r"^0 of \d+ classes"))).to_be_visible()
    screen.fill(field, "")
    expect(lines).to_have_count(1 + len(checkpoint.labels))
    if counted is not None:
        screen.click(classes.get_by_role("button", name="top-1"))
        worst = min(share for share in counted.top1("main") if share is not None)
        expect(lines.nth(1)).to_contain_text(f"{worst:.0%}")
        first = counted.pairs("main", 1)[0]
        pairs = page.get_by_role("region", name=re.compile("^Pairs of classes")).get_by_role("row")
        expect(pairs.nth(1)).to_contain_text(short(checkpoint.label(first.first).words))
        expect(pairs.nth(1)).to_contain_text(str(first.there))
    for size in screen.SIZES:
        screen.resize(page, size)
        screen.assert_fits(page)
        assert not screen.serious_findings(page)
