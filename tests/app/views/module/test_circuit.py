"""Circuit, search by class and kept channels on the Module page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import pushes
from app.jobs.circuits import address_of, circuit_of
from app.state import favourites, network, selection
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module import circuit, families, unit_cards
from inception_model.architecture.address import UnitAddress, parse_unit
from inception_model.architecture.variants import tiny
from inception_model.circuits.concepts import CONCEPTS, concept_credit, concepts
from inception_model.circuits.connections import unit_of
from inception_model.circuits.families import FAMILIES, FamilyRow, ModuleSummary
from inception_model.circuits.pushes import class_credit
from inception_model.drawing.numbers import signed
from inception_model.inference.classifier import build
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from tests.app.asking import PHOTO, good, opened, small
from tests.circuits.test_families import planted
from tests.compare import assert_close
from tests.random_networks import random_classifier

__all__ = ["opened", "small"]  # fixtures

Open = Callable[..., AppTest]


@pytest.fixture
def kept(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the session keeps as a plain dictionary."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr("app.state.session.get", lambda name, default: found.get(name, default))
    monkeypatch.setattr("app.state.session.put", found.__setitem__)
    return found


def test_the_page_draws_circuit_search_and_kept_channels(small: InferenceService, opened: Open) -> None:
    page = opened("module", module__circuit=True, search__class=3, search__module="all", module__concepts=True)
    page.button(key="favourite").click()
    page = good(page.run())
    picked = page.session_state["scope.favourites"][small.classifier.checkpoint.sha256]
    (address,) = (parse_unit(text, small.classifier.checkpoint.spec) for text in picked)
    said = " ".join(json.loads(each.proto.json or "{}").get("html", "") for each in page.get("bidi_component"))
    assert f"4d 5×5 {address.channel} reads" in said
    assert "Expanded through 5×5 reduce, without the ReLU that stands behind it in the network." in said
    assert "push thing 3 at main" in said
    assert "1 in all" in said
    block = small.look(PHOTO).trace.block("4d")
    head, target = "main", Target.parse("auto", (), small.look(PHOTO).trace.logits("main"))
    credit, rest = concept_credit(small.classifier, block, head, target, found := concepts(block.output[0].numpy()))
    for value in credit:
        assert f"{signed(float(value))} logits, " in said
    assert f"{signed(rest)} of the {signed(float(credit.sum()) + rest)} logits of credit" in said
    strongest = unit_of(small.classifier.checkpoint.spec, "4d", int(found.directions[0].argmax()))
    assert f'data-unit="{strongest}"' in said
    spec = small.classifier.checkpoint.spec
    x = small.classifier.prepare(PHOTO.image)
    credit = class_credit(small.classifier, x, "main", Target(3))
    best = max((values.max(), name, values.argmax()) for name, values in credit.items())
    assert f"{best[0]:+.3f}" in said
    assert str(pushes.strongest(spec, credit)[0][0].unit) in said


@pytest.mark.parametrize(("size", "most"), [(64, 4), (32, 1)])
def test_no_more_concepts_are_offered_than_the_map_has_places(
    size: int, most: int, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = random_classifier(tiny(), trained=("main",)).checkpoint
    preprocessing = replace(known.preprocessing, size=size, resize=size)
    service = InferenceService(build(replace(known, preprocessing=preprocessing), "cpu"))
    monkeypatch.setattr(network, "service", lambda: service)
    try:
        page = opened("module", module__concepts=True)
        page.session_state["scope.module"] = "5b"
        page = good(page.run())
        sliders = [slider for slider in page.slider if slider.key == "module-concepts-count"]
        assert [(slider.max, slider.value) for slider in sliders] == ([(most, min(most, CONCEPTS))] if most > 1 else [])
        for slider in sliders:
            page = good(slider.set_value(most).run())
        said = " ".join(json.loads(each.proto.json or "{}").get("html", "") for each in page.get("bidi_component"))
        assert f"concept {most}" in said
        assert f"concept {most + 1}" not in said
    finally:
        service.close()


def test_every_picked_channel_has_a_circuit_and_every_card_leads_on(
    small: InferenceService, kept: dict[str, Any]
) -> None:
    panel, spec = Panel(PHOTO), small.classifier.checkpoint.spec
    for unit, wanted in (
        (Unit("4d", "output", 20, 0, 0), "4d:3x3:13"), (Unit("4d", "input", 0, 0, 0), "4c:1x1:0"),
        (Unit("3a", "input", 9, 0, 0), "conv2:9"), (Unit("5b", "pool_proj", 1, 0, 0), "5b:pool_proj:1"),
        (Unit("4d", "5x5_reduce", 1, 0, 0), "4d:5x5_reduce:1"),
    ):  # fmt: skip
        address = address_of(unit)
        assert str(address) == wanted
        found = circuit_of(address)
        assert circuit_of(address) is found
        cards = circuit.cards(panel, (*found.reads[:2], *found.read_by[:2]))
        assert all(card.kernel.startswith("data:image/png") for card in cards)
        for card in cards:
            assert bool(card.map) == bool(card.go)
            if card.go:
                unit_cards.walk(card.go)
                # Where one arrives is what the card said.
                node = selection.node()
                there = address_of(Unit(selection.module(), node, selection.channel(), 0, 0))
                assert str(there) == card.go
    assert [bool(card.go) for card in circuit.cards(panel, circuit_of(UnitAddress(None, "conv1", 0)).reads)] == [
        False
    ] * 3
    before = dict(kept)
    unit_cards.walk("4d:5x5:999")
    assert kept == before
    with pytest.raises(ValueError, match="before the modules"):
        selection.set_unit(UnitAddress(None, "conv1", 0))
    credit = class_credit(small.classifier, small.classifier.prepare(PHOTO.image), "aux2", Target(2))
    ahead, against = pushes.pushes_of(panel, "aux2", 2, "4b")
    assert_close([each.credit for each in ahead[:1]], [credit["4b"].max()])
    assert_close([each.credit for each in against[:1]], [credit["4b"].min()])
    assert {each.unit.module for each in ahead} == {"4b"} <= set(spec.module_names)


def test_kept_channels_belong_to_their_network_and_export_as_json(
    small: InferenceService, kept: dict[str, Any]
) -> None:
    spec = small.classifier.checkpoint.spec
    first, second = parse_unit("4d:5x5:1", spec), parse_unit("conv2:9", spec)
    for unit in (first, second):
        favourites.toggle(unit)
    assert favourites.kept() == (first, second)
    told = json.loads(favourites.as_json())
    assert told["units"] == [
        {"unit": "4d:5x5:1", "name": "4d 5×5 1", "link": "?unit=4d:5x5:1"},
        {"unit": "conv2:9", "name": "conv2 9", "link": "?unit=conv2:9"},
    ]
    assert told["sha256"] == small.classifier.checkpoint.sha256
    favourites.toggle(first)
    assert favourites.kept() == (second,)
    kept["favourites"] = {**kept["favourites"], "another": ("4d:5x5:1",)}
    favourites.forget()
    assert favourites.kept() == ()
    assert kept["favourites"] == {"another": ("4d:5x5:1",)}


def test_the_table_of_families_marks_what_is_more_than_chance(small: InferenceService, kept: dict[str, Any]) -> None:
    found = planted("3x3")
    rows: tuple[FamilyRow, ...] = found.rows(network.spec().block("3b"))
    told = {row["name"]: row for row in families.rows(rows)}
    assert set(told) == set(FAMILIES)
    assert [cell["more"] for cell in told["curves"]["cells"]] == [False, True, False, False]
    assert [cell["text"] for cell in told["colour"]["cells"]] == ["–"] * 4
    said = families.said(ModuleSummary({}, found, rows))
    assert said[0].startswith("More than chance, after correction for 4 tests: curves in 3×3")
    assert "that is not found" in said[1]
    place = int(found.members["curves"].nonzero()[0][0]) - network.spec().block("3b").channels("3x3").start
    assert families.own_words(Unit("3b", "3x3", place, 0, 0), found) == f"Channel {place} of 3×3 belongs to: curves."
    assert "none of these families" in families.own_words(Unit("3b", "pool_proj", 0, 0, 0), found)
    found.not_selective[0] = True
    assert "is not selective" in families.own_words(Unit("3b", "1x1", 0, 0, 0), found)
    assert families.own_words(Unit("3b", "3x3_reduce", 0, 0, 0), found) == ""
