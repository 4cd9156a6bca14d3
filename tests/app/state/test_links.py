"""Addresses: what they restore, what they drop, how they follow the view, and that no upload is in them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.jobs.map_quantities import QUANTITIES
from app.state import link_values, links, options
from inception_model.attribution import METHODS
from inception_model.attribution.options import Option as MethodOption
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.images.samples import sample_photo, sample_photos
from inception_model.images.stimuli import sample_stimuli
from tests.app.asking import good
from tests.app.shell import MAIN, captions, drawn, upload

KNOWN = (*sample_photos(), *sample_stimuli())


def opened(page: str = "look", **address: str) -> AppTest:
    """The app at an address, on one of its pages."""
    app = AppTest.from_file(MAIN, default_timeout=90)
    app.query_params.update(address)
    good(app.run())
    return app if page == "look" else good(app.switch_page(f"views/{page}/page.py").run())


def view(app: AppTest, name: str) -> object:
    return app.session_state.to_dict().get(f"scope.{name}")


def address(app: AppTest, param: str) -> str | None:
    found = app.query_params.get(param)
    return found[-1] if isinstance(found, list) else found


def other(option: MethodOption) -> Any:
    """A value that is not the default."""
    return option.choices[-1] if option.choices else type(option.default)(option.high)


NOT_IN_LINKS = {
    "TOUR_STEP": "of one visit", "TOUR_ASKED": "of one visit", "STORY_WANTED": "of one visit",
    "STORY_TOLD": "of one visit", "STORY_STEP": "of one visit",
    "LOOK_CONTACT_SHEET": "of the user's own photos", "MODULE_SPOT": "of one photo, and found by a click",
    "MODULE_OPENED": "unfolded, found by a click", "MODULE_LAYERS": "how it is drawn",
    "MODULE_COMPUTATION": "unfolded", "MODULE_FIGURE": "what was drawn", "MODULE_CIRCUIT": "unfolded",
    "MODULE_CONCEPTS": "unfolded", "CONCEPT_COUNT": "of what is unfolded", "CONCEPT_SOURCE": "of what is unfolded",
    "MODULE_PICTURE": "of what is made on request", "MODULE_PICTURE_STEPS": "of what is made on request",
    "SEARCH_HEAD": "of a list", "SEARCH_MODULE": "of a list", "BENCH_OPEN": "unfolded",
    "BENCH_FAMILY": "of what is unfolded", "HEADS_SHARED": "how it is drawn", "MODEL_CLASSES_HEAD": "of a list",
    "MODEL_BENCHMARK_HEAD": "of a list", "WHY_TRUST": "unfolded", "WHY_GALLERY": "of a list",
    "WHY_SHARED": "how it is drawn", "WHY_METHODS": "of a list", "WHY_BESIDE_SHARED": "how it is drawn",
    "WHY_LEDGER_STEPS": "of work that is asked for", "WHY_LEDGER_ERROR": "of work that is asked for",
    "WHY_LEDGER_LIMIT": "of work that is asked for", "VOTE_MODELS": "files of this server",
    "REPORT_PRIVATE": "of a file that is asked for",
}  # fmt: skip
"""Choices that neither a link nor Back restores, and why."""


def test_every_choice_is_in_links_or_has_a_reason() -> None:
    known = {name: value for name, value in vars(options).items() if isinstance(value, options.Option)}
    assert {name for name, value in known.items() if value.state_name not in links.NAMES} == set(NOT_IN_LINKS)


def test_every_entry_can_be_read_as_it_was_written(bundled_checkpoint: Checkpoint) -> None:
    wanted = {
        "photo": sample_photo("rocket").sha256,
        "beside": sample_photo("cat").sha256,
        "module": "5a",
        "branch": "3x3",
        "node": "3x3_reduce",
        "channel": 159,
        "option.module.show": "tiles",
        "option.search.class": 5,
        "option.module.sort": "credit",
        "option.module.scale": "channel",
        "option.ablation.off": ("4d:5x5", "5b", "3a:pool:2"),
        "option.ablation.fill": "mean-blur",
        "option.why.head": "aux2",
        "option.why.method": "integrated_gradients",
        "option.why.target": "contrast",
        "option.why.class": "7",
        "option.why.minus": "11",
        "option.why.module": "4b",
        "option.why.branch": "pool",
        "option.why.lrp.composite": "epsilon-plus-flat",
        "option.why.lrp.through": "4d:5x5:17",
        "option.why.baseline": "blur",
        "option.why.ends": "largest",
        **{
            options.of_method(m, o).state_name: other(o)
            for m, row in METHODS.items()
            if m != "lrp"
            for o in row.options
        },
        "option.heads.subject": "followed",
        "option.heads.class": 3,
        "option.vote.head": "aux1",
        "option.vote.views": 10,
        "option.fool.shift": -12.0,
        "option.fool.rotation": 35.0,
        "option.fool.blur": 2.5,
        "option.fool.grey": 40.0,
        "option.fool.noise": 16.0,
        "option.fool.jpeg": 3.0,
        "option.fool.head": "aux1",
        "option.fool.norm": "l2",
        "option.fool.towards": 12,
        "option.fool.bound": 256,
        "option.look.square": "10,20,300",
        "option.beside-look.square": "0,0,16",
        "option.look.colour": "credit",
        "option.present": True,
        "option.teach": False,
        "option.raw": True,
    }
    assert set(wanted) == links.NAMES
    texts = links.write(wanted.get, KNOWN)
    assert (texts["photo"], texts["beside"]) == ("rocket", "cat")
    assert links.read({k: v for k, v in texts.items() if v is not None}, bundled_checkpoint, KNOWN) == wanted


@pytest.mark.parametrize(
    ("param", "text"),
    [
        ("module", "9z"), ("branch", "7x7"), ("node", "middle"), ("head", "aux3"), ("method", "__import__"),
        ("explain", "why"), ("target", "no such class"), ("target", "200"), ("target", "3-7"), ("minus", "-1"),
        ("class", "auto"), ("class", "2e3"), ("at", "../../etc/passwd"), ("baseline", "pink"), ("colour", "red"),
        ("photo", "<script>"), ("photo", "abc"), ("photo", "../x"), ("channel", "1"),
        ("beside", "nobody"), ("order", "colour"), ("scale", "huge"), ("composite", "gamma-ray"),
        ("pushed", "auto"), ("unit", "4d:5x5:64"), ("unit", "9z"), ("unit", "conv1:3"), ("unit", "<script>"),
        ("off", "9z"), ("off", "4d:5x5:64,,x"), ("fill", "pink"), ("ends", "50%"), ("views", "0"), ("views", "145"),
        ("voter", "aux3"), ("subject", "none"), ("integrated-gradients-steps", "0"), ("smoothgrad-sigma", "x"),
        ("only", "9z"), ("only", "4d:5x5:64"), ("only", "4d:5x5:1x"), ("only", " 4d"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_dropped(bundled_checkpoint: Checkpoint, param: str, text: str) -> None:
    assert links.read({param: text}, bundled_checkpoint, KNOWN) == {}


def test_a_channel_must_exist_in_its_node(bundled_checkpoint: Checkpoint) -> None:
    place = {"module": "4d", "branch": "5x5"}
    for node, width in ((None, 64), ("5x5_reduce", 32), ("input", 512), ("output", 528)):
        known = place | ({"node": node} if node else {})
        for channel in (width - 1, width):
            found = links.read({**known, "channel": str(channel)}, bundled_checkpoint, KNOWN)
            assert found.get("channel") == (channel if channel < width else None)


def test_one_word_says_which_channel(bundled_checkpoint: Checkpoint) -> None:
    def said(**params: str) -> links.View:
        return links.read(params, bundled_checkpoint, KNOWN)

    assert said(unit="4d:5x5:17") == said(module="4d", branch="5x5", channel="17")
    assert said(unit="4d:pool:3") == said(unit="4d:pool_proj:3") == said(module="4d", branch="pool", channel="3")
    reduction = said(module="4d", branch="5x5", node="5x5_reduce", channel="31")
    assert said(unit="4d:5x5_reduce:31", module="3a", branch="pool", node="output", channel="9") == reduction
    assert said(unit="conv2:9") == said(module="3a", node="input", channel="9")
    assert said(unit="4d:5x5") == said(module="4d", branch="5x5")
    assert said(unit="5a") == said(module="5a")
    assert links.write({}.get, KNOWN)["unit"] is None, "the address then says the same in its own words"
    for unit, exists in (
        ("4d:5x5:64", "0 to 63"),
        ("9z:1x1:0", "3a, 3b"),
        ("conv1:3", "only conv2 is"),
        ("", "3a, 3b"),
    ):
        assert said(unit=unit, channel="5") == {}
        assert exists in link_values.unknown_unit({"unit": unit}, bundled_checkpoint)
    assert (
        link_values.unknown_unit({"unit": "4d:5x5:63"}, bundled_checkpoint)
        == link_values.unknown_unit({}, bundled_checkpoint)
        == ""
    )


def test_the_entry_for_colours_knows_every_quantity(bundled_checkpoint: Checkpoint) -> None:
    for name in QUANTITIES:
        assert links.read({"colour": name}, bundled_checkpoint, KNOWN) == {"option.look.colour": name}


def test_a_link_restores_photo_module_and_channel() -> None:
    app = opened("module", photo="rocket", module="4b", branch="3x3", channel="17")
    assert view(app, "photo") == sample_photo("rocket").sha256
    assert "Inside 4b" in drawn(app)
    assert "channel 17 of 4b 3×3" in drawn(app)
    assert address(app, "channel") == "17"


def test_a_link_to_a_channel_opens_it_and_an_unknown_one_is_told_what_exists() -> None:
    app = opened(unit="4b:3x3:17")
    assert "Inside 4b" in drawn(app)
    assert "channel 17 of 4b 3×3" in drawn(app)
    app = opened(unit="4b:3x3:9999")
    assert [warning.value for warning in app.warning if "channels 0 to 223" in warning.value]


def test_nonsense_in_an_address_is_dropped_and_the_app_stands() -> None:
    app = opened(photo="%00", module="6z", branch="1x1'", channel="99999999999", head="oracle", colour="x" * 500)
    assert "Chelsea" in captions(app)
    assert {view(app, name) for name in links.NAMES} == {None}
    good(app.run())  # the first run leaves an address as it came
    assert {address(app, param) for param in ("photo", "module", "branch", "channel", "head", "colour")} == {None}


def test_the_address_follows_the_view() -> None:
    app = opened("module")
    assert address(app, "module") is None
    good(app.segmented_control(key="module-strip").set_value("5a").run())
    assert address(app, "module") == "5a"
    good(app.switch_page("views/look/page.py").run())
    assert address(app, "module") == "5a"
    good(app.segmented_control(key="look-colour").set_value("macs").run())
    assert (address(app, "module"), address(app, "colour")) == ("5a", "macs")


def test_back_and_forward_restore_the_view_and_leave_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(module="5a", branch="3x3", head="aux1", photo="rocket")
    good(app.segmented_control(key="look-colour").set_value("macs").run())
    monkeypatch.setattr(links, "by_history", lambda: True)
    gone_to = {"module": "3b", "photo": "espresso", "method": "no such method"}
    app.query_params.clear()
    app.query_params.update(gone_to)
    good(app.run())
    assert {name: view(app, name) for name in links.NAMES if view(app, name) is not None} == {
        "module": "3b",
        "photo": sample_photo("espresso").sha256,
    }
    assert {param: address(app, param) for param in app.query_params} == gone_to
    assert app.segmented_control(key="look-colour").value != "macs"


def test_a_default_that_cannot_be_read_is_not_written() -> None:
    chosen = {"option.heads.class": "auto", "option.why.branch": "whole module", "option.why.target": "auto"}
    texts = links.write(chosen.get, KNOWN)
    assert {param: text for param, text in texts.items() if text is not None} == {"explain": "auto"}


def test_a_part_of_the_network_leads_away_from_choices_that_the_page_binds() -> None:
    app = opened("cost", teach="off")
    good(app.segmented_control(key="quantity").set_value("parameters").run())
    app.session_state["scope.go_to"] = "heads"
    good(app.run())
    assert "Three heads" in drawn(app)


def test_an_upload_is_named_by_its_hash_only_and_asked_for_elsewhere(photo_paths: dict[str, Path]) -> None:
    with Image.open(photo_paths["espresso"]) as image:
        buffer = io.BytesIO()
        image.resize((200, 150)).save(buffer, "JPEG")
    mine = upload(opened(), ("secret holiday.jpg", buffer.getvalue()))
    named = address(mine, "photo")
    assert named is not None
    assert len(named) == links.HASH_DIGITS
    assert str(view(mine, "photo")).startswith(named)
    assert "secret" not in str(mine.query_params)

    other = opened(photo=named, module="4b")
    assert "Uploads are never part of a link" not in drawn(other), "the browser may have kept it: it is asked first"
    other.session_state["scope.browser.answered"] = True
    good(other.run())
    assert "Uploads are never part of a link" in drawn(other)
    assert named in drawn(other)
    assert "Chelsea" in captions(other)
    assert "secret" not in drawn(other)
    assert address(other, "photo") == named
    upload(other, ("again.jpg", buffer.getvalue()))
    assert "Uploads are never part of a link" not in drawn(other)
    assert view(other, "photo") == view(mine, "photo")
    assert view(other, "module") == "4b"
