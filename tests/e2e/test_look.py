"""Journeys on the first page: something to see at once, uploads good and bad, and two people at a time."""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import urllib.parse

import pytest
from playwright.sync_api import Page, Request, expect

from . import screen
from .conftest import OpenPage
from .pictures import NO_PHOTOS, photo


def put_file(address: str, headers: dict[str, str], content: bytes) -> int:
    """The status that the server answers to an upload past the page, straight to the address that the page uses.

    Waits for an answer before the larger part of the file: a server that refuses doesn't read it, and hangs up.
    """
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="large.png"\r\n\r\n'
    body, url = head + content + b"\r\n--edge--\r\n", urllib.parse.urlsplit(address)
    form = {"content-type": "multipart/form-data; boundary=edge", "content-length": str(len(body))}
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("PUT", url.path)
        for name, value in {**headers, **form}.items():
            connection.putheader(name, value)
        connection.endheaders(body[:10_000])
        answered, _, _ = select.select([connection.sock], [], [], 5.0 if len(body) > 10_000 else 0.0)
        if not answered:
            connection.send(body[10_000:])
        return connection.getresponse().status


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The first page, on the desktop."""
    page = kept_page()
    screen.open_app(page, app_url)
    return page


def at_cat(page: Page) -> Page:
    """The page on the desktop, looking at the first photo."""
    screen.resize(page, "desktop")
    cat = screen.film(page, "cat")
    if cat.get_attribute("aria-pressed") != "true":
        screen.click(cat)
    expect(cat).to_have_attribute("aria-pressed", "true")
    screen.settle(page)
    return page


def test_three_answers_without_an_upload_and_others_with_one(opened: Page) -> None:
    page = at_cat(opened)
    for head, said in screen.answers(page).items():
        assert len(re.findall(r"\d+(?:\.\d)?%", said)) == 5, (head, said)
    expect(page.get_by_role("status").filter(has_text=" ms")).to_be_visible()
    screen.assert_fits(page)
    before = screen.answers(page)
    screen.resize(page, "phone")
    expect(page.get_by_role("status").filter(has_text=" ms")).to_be_visible()
    screen.assert_fits(page)
    screen.upload(page, "holiday.png", photo("rocket", 90))
    for size in ("phone", "desktop"):
        screen.resize(page, size)
        assert screen.answers(page) != before
        expect(page.get_by_role("img", name=re.compile("^holiday.png"))).to_be_visible()
        screen.assert_fits(page)
    screen.click(screen.film(page, "cat"))
    expect(screen.film(page, "cat")).to_have_attribute("aria-pressed", "true")
    screen.settle(page)
    assert screen.answers(page) == before


def test_what_is_no_photo_or_too_large_is_refused_and_the_app_goes_on(opened: Page) -> None:
    page = at_cat(opened)
    before = screen.answers(page)
    screen.send(page, *NO_PHOTOS.items())
    expect(page.get_by_test_id("stAlert")).to_have_count(len(NO_PHOTOS))
    for name in NO_PHOTOS:
        expect(page.get_by_test_id("stAlert").filter(has_text=name)).to_have_count(1)
    assert screen.answers(page) == before
    puts: list[Request] = []
    page.on("request", lambda request: puts.append(request) if request.method == "PUT" else None)
    screen.upload(page, "then-a-good-one.png", photo("espresso"))
    expect(page.get_by_test_id("stAlert")).to_have_count(0)

    # Past the page, straight to the server: an address takes the one file that it was announced for.
    headers = {name: value for name, value in puts[0].headers.items() if "xsrf" in name.lower()}
    headers["cookie"] = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    assert put_file(puts[0].url, headers, b"0" * 1000) == 400
    assert put_file(puts[0].url, headers, b"0" * (21 * 2**20)) == 400
    screen.reload(page)


def test_two_people_see_only_their_own_photos(opened: Page, new_page: OpenPage, app_url: str) -> None:
    anna, bert = at_cat(opened), new_page()
    screen.open_app(bert, app_url)
    screen.upload(anna, "anna.png", photo("rocket"))
    screen.upload(bert, "bert.png", photo("espresso", 180))
    hers, his = screen.answers(anna), screen.answers(bert)
    assert hers != his
    for person, own, other in ((anna, "anna.png", "bert.png"), (bert, "bert.png", "anna.png")):
        expect(screen.film(person, own)).to_have_count(1)
        expect(screen.film(person, other)).to_have_count(0)
        assert other not in person.content()
    # A rerun of one doesn't bring the other's picture.
    screen.click(screen.film(anna, "anna.png"))
    assert screen.answers(anna) == hers
    assert screen.answers(bert) == his
