"""The journey through Why: contrast, head, method, the map, its badge; then a branch off and three heads that move."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from inception_model.trust import CHECKS

from . import screen
from .conftest import OpenPage
from .test_first_line import go

SECONDS = 180.0
"""A map takes a few forward passes, but the machine may be busy."""


def choose(page: Page, label: str, text: str) -> None:
    """Types into a select box and takes the best match."""
    box = page.get_by_role("combobox", name=re.compile(label)).first
    box.click()
    box.fill(text)
    page.get_by_role("option", name=re.compile(text)).first.click()
    screen.settle(page)


def click(page: Page, name: str) -> None:
    """A button, or one of a segmented control."""
    page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("radio", name=name, exact=True)
    ).first.click()
    screen.settle(page)


@pytest.mark.timeout(600)
def test_a_map_its_badge_and_an_ablation(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/why?target=Egyptian cat&minus=golden retriever")
    click(page, "a contrast")
    click(page, "aux2")
    choose(page, "Method", "DeepLift")
    expect(page.get_by_role("heading", name="What speaks for Egyptian cat − golden retriever")).to_be_visible()
    seen = page.get_by_role("img", name=re.compile("^DeepLift · aux2 · Egyptian cat.*a signed map on cat")).first
    expect(seen).to_be_visible(timeout=SECONDS * 1000)
    assert seen.evaluate("image => image.naturalWidth") > 300
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text(re.compile(r"[+−]\d+\.\d\d logits for Egyptian cat − golden retriever at aux2"))

    badge = page.locator(".st-key-trust-why-map button").first
    badge.click()
    evidence = page.get_by_test_id("stPopoverBody")
    expect(evidence).to_contain_text("completeness: passes")
    expect(evidence).to_contain_text(re.compile(r"All values add up to [+-]\d.*: the sum closes"))
    for check in CHECKS.values():
        expect(evidence).to_contain_text(check.question)
    expect(evidence.get_by_role("button", name="Run randomisation")).to_be_visible()
    expect(badge).to_contain_text(re.compile("Trust: (passes|fails)"))
    page.keyboard.press("Escape")
    screen.settle(page)
    screen.assert_fits(page)

    go(page, "Module")
    page.locator(".st-key-module-strip").get_by_text("3b", exact=True).click()
    expect(page.get_by_role("heading", name="Inside 3b")).to_be_visible()
    screen.settle(page)
    page.locator(".st-key-ablation-off").get_by_text("5×5", exact=True).first.click()
    expect(page.get_by_text(re.compile("Without 5×5 of 3b: 7 modules ran again"))).to_be_visible()
    screen.settle(page)
    before = screen.answers(page)
    for head, said in before.items():
        assert re.search(r"[+−](?!0\.00)\d\.\d\d", said), f"{head} did not move: {said}"
    page.locator(".st-key-ablation-off").get_by_text("1×1", exact=True).first.click()
    expect(page.get_by_text(re.compile("Without .*of 3b"))).to_contain_text("1×1")
    screen.settle(page)
    after = screen.answers(page)
    assert all(after[head] != said for head, said in before.items())
    screen.assert_fits(page)

    go(page, "Why")
    expect(page.get_by_role("heading", name="What speaks for Egyptian cat − golden retriever")).to_be_visible()
