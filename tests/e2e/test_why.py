"""The page Why: how strong its map lies on the photo, and the photo alone while one holds it; the journey through
contrast, head, method, the map and its badge, a branch off and three heads that move; relevance and its sum."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from inception_model.trust import CHECKS

from . import screen
from .conftest import OpenPage

SECONDS = 180.0
"""A map takes a few forward passes, but the machine may be busy."""


def click(page: Page, name: str) -> None:
    """A button, or one of a segmented control."""
    button = page.get_by_role("button", name=name, exact=True)
    screen.click(button.or_(page.get_by_role("radio", name=name, exact=True)).first)


@pytest.fixture(scope="module")
def kept(kept_page: OpenPage) -> Page:
    """One page for two tests."""
    return kept_page()


def open_contrast(page: Page, app_url: str) -> None:
    """The page by a link with both classes of a contrast, which is not asked for yet."""
    screen.open_app(page, f"{app_url}/why?target=Egyptian cat&minus=golden retriever&method=gradcam")


@pytest.mark.timeout(600)
def test_a_map_is_as_strong_as_chosen_and_gives_way_while_held(kept: Page, app_url: str) -> None:
    page = kept
    open_contrast(page, app_url)
    figure = page.locator(".why-map").first
    screen.settle(page, done=True)
    shown, map_, slider = figure.locator(".seen"), figure.locator(".seen .map"), figure.get_by_role("slider")
    expect(map_).to_have_css("opacity", "0.85")
    expect(figure.locator(".seen path")).to_have_count(2)
    screen.press(slider, "Home", *["ArrowRight"] * 6)
    expect(map_).to_have_css("opacity", "0.3")
    others = page.locator(".why-map .seen .map")
    assert {other.evaluate("node => getComputedStyle(node).opacity") for other in others.all()} == {"0.3"}
    screen.reload(page)
    screen.settle(page, done=True)
    expect(map_).to_have_css("opacity", "0.3")

    figure.locator(".stack").scroll_into_view_if_needed()
    box = figure.locator(".stack").bounding_box()
    assert box
    with screen.mouse_held(page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)):
        expect(shown).to_be_hidden()
    expect(shown).to_be_visible()
    button = figure.get_by_role("button", name="Hold to see the photo")
    with screen.key_held(button, "Space"):
        expect(shown).to_be_hidden()
        expect(button).to_have_attribute("aria-pressed", "true")
    expect(shown).to_be_visible()


@pytest.mark.timeout(600)
def test_a_map_its_badge_and_an_ablation(kept: Page, app_url: str) -> None:
    page = kept
    if page.url == "about:blank":
        open_contrast(page, app_url)
    click(page, "a contrast")
    click(page, "aux2")
    screen.choose(page, "Method", "DeepLift")
    expect(page.get_by_role("heading", name="What speaks for Egyptian cat − golden retriever")).to_be_visible()
    seen = page.get_by_role("img", name=re.compile("^DeepLift · aux2 · Egyptian cat.*a signed map on cat")).first
    expect(seen).to_be_visible(timeout=SECONDS * 1000)
    assert seen.evaluate("image => image.naturalWidth") > 300
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text(re.compile(r"[+−]\d+\.\d\d logits for Egyptian cat − golden retriever at aux2"))

    evidence = page.locator(".st-key-trust-why-map")
    badge = evidence.locator("summary")
    screen.click(badge)
    map_box, found_box = (part.bounding_box() for part in (seen, evidence))
    assert map_box
    assert found_box
    assert map_box["x"] + map_box["width"] <= found_box["x"]  # it opens beside the map
    expect(evidence).to_contain_text("completeness: passes")
    expect(evidence).to_contain_text(re.compile(r"All values add up to [+-]\d.*: the sum closes"))
    for check in CHECKS.values():
        expect(evidence).to_contain_text(check.question)
    expect(evidence.get_by_role("button", name="Run randomisation")).to_be_visible()
    expect(badge).to_contain_text(re.compile("Trust: (passes|fails)"))
    screen.assert_fits(page)

    screen.go(page, "Module")
    screen.click(page.locator(".st-key-module-strip").get_by_text("3b", exact=True))
    expect(page.get_by_role("heading", name="Inside 3b")).to_be_visible()
    screen.click(page.locator(".st-key-ablation-off").get_by_text("5×5", exact=True).first)
    expect(page.get_by_text(re.compile("Without 5×5 of 3b: 7 modules ran again"))).to_be_visible()
    before = screen.answers(page)
    for head, said in before.items():
        assert re.search(r"[+−](?!0\.00)\d\.\d\d", said), f"{head} did not move: {said}"
    screen.click(page.locator(".st-key-ablation-off").get_by_text("1×1", exact=True).first)
    expect(page.get_by_text(re.compile("Without .*of 3b"))).to_contain_text("1×1")
    after = screen.answers(page)
    assert all(after[head] != said for head, said in before.items())
    screen.assert_fits(page)

    screen.go(page, "Why")
    expect(page.get_by_role("heading", name="What speaks for Egyptian cat − golden retriever")).to_be_visible()


@pytest.mark.timeout(600)
def test_relevance_through_one_channel_and_its_sum(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/why?method=lrp&teach=off")
    screen.settle(page, SECONDS, done=True)
    screen.choose(page, "Only through", "4d")
    screen.choose(page, "^Branch", "5")
    screen.settle(page, SECONDS, done=True)  # who types while a map is made may lose what is typed to its coming
    channel = page.get_by_label("Channel, 0 to 63")
    screen.fill(channel, "17")
    screen.press(channel, "Enter")
    screen.settle(page, SECONDS, done=True)
    shown = page.get_by_role("img", name=re.compile(r"^LRP \(relevance\) through 4d:5x5:17 · main"))
    expect(shown.first).to_be_visible(timeout=SECONDS * 1000)
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text(re.compile(r"pixels [+-]\d\S*, biases \S+, stabilisers .*, not through 4d:5x5:17 "))
    expect(main).to_contain_text("so the sum closes")
    screen.click(page.get_by_text("The sum by module and by layer"))
    expect(page.get_by_role("region", name="Relevance of every branch")).to_contain_text(re.compile("5b.*4d.*3a", re.S))
    expect(page.get_by_role("region", name="What every layer absorbed")).to_contain_text("4d.5x5_reduce")
    screen.assert_fits(page)
