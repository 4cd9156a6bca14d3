"""Labels, card and source of a checkpoint are somebody else's text: no page reads them as markup."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.state import network, photos
from app.templates import as_text, render
from app.views.model.card import without_links
from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import load, save
from inception_model.inference.classifier import build
from inception_model.serving.service import InferenceService
from tests.app.asking import PHOTO, VIEWS, choose_file, done, good
from tests.app.chart_data import ask_for_charts
from tests.app.shell import MAIN
from tests.random_networks import random_classifier

HOSTILE = "<img src=x onerror=alert(1)>"
CARD = r"""
# Data
![a pixel](https://tracker.example/p.png "title") and ![two][p] of **200 classes**, `code`
[read more](https://evil.example/a "title"), [![badge](https://b.example/x.svg)](https://evil.example/badge)
[spaced]( <javascript:alert(3)> ) [ref][p] [p] \[no](https://e.example/1) \\[yes](https://e.example/2)
<https://auto.example> <a href="https://html.example">x</a> https://bare.example/x http:\//e.example www.bare.example
WWW\.e.example me@e.example me\@e.example mailto:me@e.example http&#58;//e.example \&#119;ww.e.example :red[red]
[nested [inner](https://i.example)](https://o.example) [^1] ![paren](https://e.example/(1).png)

[p]: https://tracker.example/reference.png
[^1]: https://note.example
"""
"""Everything that links or loads in Markdown, and tries to hide it."""
MARKED = "[click](javascript:alert(2)) **bold** $x$"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with labels, a card and a source that would be a picture with a script, were they markup."""
    found = random_classifier(tiny()).checkpoint
    labels = tuple(Label(i, f"n{i}{HOSTILE}", f"{HOSTILE}{MARKED} {i}") for i in range(found.spec.classes))
    path = tmp_path_factory.mktemp("hostile") / "hostile.safetensors"
    save(dataclasses.replace(found, labels=labels, card=f"# {HOSTILE}\n{HOSTILE}\n{CARD}", source=HOSTILE), path)
    return path


@pytest.fixture(scope="module")
def app(hostile: Path) -> AppTest:
    """The app with that file chosen, which draws all its charts."""
    test = good(AppTest.from_file(MAIN, default_timeout=90).run())
    assert not choose_file(test, hostile).error
    return ask_for_charts(test)


def markup(test: AppTest) -> Iterator[tuple[str, str]]:
    """All that a page hands over as HTML, SVG or a chart's text: (where, text)."""
    for element in test.get("html"):
        yield "html", element.proto.body
    for element in test.get("bidi_component"):
        yield from strings(json.loads(element.proto.json or "{}"), element.proto.component_name)
    for element in test.get("plotly_chart"):
        yield from strings(json.loads(element.proto.spec), "chart")


def strings(value: Any, where: str, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts inside of a component's data that it takes for markup, and all of a chart's."""
    if isinstance(value, str) and (where == "chart" or key in ("html", "svg")):
        yield where, value
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from strings(inner, where, name)
    for inner in value if isinstance(value, list) else ():
        yield from strings(inner, where, key)


def inspect(test: AppTest) -> str:
    """Asserts that nothing hostile is markup on this page; returns all texts."""
    texts = list(markup(test))
    for where, text in texts:
        assert "<img src=x" not in text, f"{where}: {text[:200]}"
        assert "onerror=alert(1)>" not in text, f"{where}: {text[:200]}"
    for kind in ("warning", "error", "caption", "info"):
        for element in getattr(test, kind):
            assert "<img" not in element.value.replace("\\<", ""), element.value
            assert "[click]" not in element.value.replace("\\[", ""), element.value
    for element in test.get("markdown"):
        assert not element.proto.allow_html, "Streamlit escapes HTML in Markdown unless it is told not to"
    return " ".join(text for _, text in texts)


@pytest.mark.parametrize("page", ["look", "module", "heads", "why", "fool", "vote", "cost", "model"])
def test_no_page_takes_a_label_for_markup(app: AppTest, page: str) -> None:
    app.session_state["scope.option.ablation.off"] = ("5b:3x3:1", "4d:5x5")
    app.session_state["scope.option.look.sheet"] = True
    app.session_state["scope.option.why.methods"] = ()
    text = inspect(done(good(app.switch_page(f"views/{page}/page.py").run()), "vote"))
    if page != "cost":
        assert "&lt;img src=x onerror=alert(1)&gt;" in text, "the label itself is there, as text"


def test_why_tells_ledger_sweep_and_contrast_of_hostile_classes(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = InferenceService(build(load(str(hostile)), "cpu"))
    monkeypatch.setattr(network, "service", lambda: service)
    monkeypatch.setattr(photos, "first_photo", lambda: PHOTO)
    page = AppTest.from_file(str(VIEWS / "why" / "page.py"), default_timeout=90)
    page.session_state["scope.option.why.methods"] = ()
    page.session_state["scope.option.why.target"] = "contrast"
    good(page.run())
    for slot in ("why-ledger", "why-sweep"):
        page.button(key=f"start-{slot}").click()
        good(page.run())
        assert page.session_state["scope.works"][slot].finished.wait(120)
    assert "&lt;img src=x" in inspect(good(page.run()))
    assert len(page.get("plotly_chart")) == 4, "the ledger, and the sweep at three heads"
    service.close()


def test_what_is_escaped_stays_readable() -> None:
    assert render("say.html", text=HOSTILE) == '<div class="scope-say">&lt;img src=x onerror=alert(1)&gt;</div>'
    assert as_text("a <b> [c](d) *e* f_g $h$") == r"a \<b\> \[c\](d) \*e\* f\_g \$h\$"
    assert as_text(":red[x] :smile: # a | b ![i](u)") == r"\:red\[x\] \:smile: \# a \| b \!\[i\](u)"


def test_the_card_is_read_as_markdown_without_links_and_images(app: AppTest) -> None:
    page = good(app.switch_page("views/model/page.py").run())
    (card,) = [element.value for element in page.markdown if "**200 classes**" in element.value]
    assert "a pixel and two of **200 classes**, `code`" in card
    assert "read more (https:" in card
    assert "badge (https:" in card
    assert "tracker.example/p.png" not in card, "of an image only its alt text is left"
    assert_nothing_links(card)
    assert "example/reference.png" in card, "an address stays readable"


@pytest.mark.parametrize(
    "text", [CARD, CARD.replace("\n", ""), "\\\\[a](b)", "\\\\\\[a](b)", "\\&#91;", "`\\`[a](b(c))"]
)
def test_no_text_becomes_a_link(text: str) -> None:
    assert_nothing_links(without_links(text))


def test_what_does_not_link_stays_as_it_is() -> None:
    plainly = "# Title\n\n* **bold** `a < b`, A & B, 3:4\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert without_links(plainly) == plainly.replace("<", r"\<")
    long = "[](" + " " * 100_000 + "!["
    assert without_links(long) == long.replace("[", r"\[")


def test_no_text_from_outside_becomes_a_link() -> None:
    for text in ("'www.e.example' https://e.example me@e.example", "http&#58;//e.example &#119;ww.e.example", CARD):
        assert_nothing_links(as_text(text))


def test_an_address_in_the_page_s_own_address_is_no_link() -> None:
    page = AppTest.from_file(str(VIEWS / "module" / "page.py"), default_timeout=90)
    page.query_params["unit"] = "www.evil.example/login"
    (told,) = [warning.value for warning in good(page.run()).warning if "evil" in warning.value]
    assert_nothing_links(told)


def assert_nothing_links(markdown: str) -> None:
    """By the rules of CommonMark and of GitHub's autolinks, wherever in the text one would begin."""
    for found in re.finditer(r"(\\*)(?:[\[<]|&(?=#?\w))", markdown):
        assert len(found[1]) % 2, f"{found[0]} at {found.start()} is not escaped: {markdown[found.start() :][:40]}"
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)
    address = r"https?://|www\.|[-.\w+]+@[-\w]+"
    assert not re.search(address, shown, re.IGNORECASE | re.ASCII)
