"""The photo with the network's square on it, and the filmstrip below it that chooses another one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import streamlit as st
from PIL import Image

from app.jobs import background
from app.state import arrivals, network, options, photos, session, shelf, visitors
from app.state.panel import Panel, panels
from app.static import script, style
from app.templates import as_text, render
from app.widgets.persistent_choice import persistent_choice
from inception_model.drawing.encoding import data_url, jpeg_bytes, png_bytes
from inception_model.images.decode import ImageError, Photo
from inception_model.images.decoder_pool import POOL
from inception_model.images.geometry import LEAST_SQUARE, Box, square_text
from inception_model.images.samples import credit_of
from inception_model.images.stimuli import sample_stimuli

_STRIP_CSS = style("filmstrip_strip")

_STRIP_JS = script("filmstrip_strip")
ARRIVED = "arrived"
"""Where the session keeps what was received: the files, and whether the first of them is to be looked at."""

_STRIP = st.components.v2.component(
    "scope_film",
    html=render("filmstrip_strip.html"),
    css=_STRIP_CSS,
    js=_STRIP_JS,
)

_PHOTO = st.components.v2.component(
    "scope_square",
    html=render("filmstrip_photo.html"),
    css=style("filmstrip_photo"),
    js=script("filmstrip_photo"),
)


def data_uri(photo: Photo, side: int) -> str:
    """The photo as a JPEG address of at most `side` pixels, made once."""

    def draw() -> str:
        small = photo.image.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        return data_url(jpeg_bytes(small, quality=88), "image/jpeg")

    return shelf.ANSWERS.get(("thumbnail", photo.sha256, side), draw)


def show(panel: Panel) -> None:
    """Photo, filmstrip, uploader and camera: everything that chooses what is looked at."""
    picture(panel)
    strip()
    upload()


def picture(panel: Panel) -> None:
    """A panel's photo, with its credit or name, and on it the square that the network sees, which can be moved."""
    photo, preprocessing = panel.photo, network.checkpoint().preprocessing
    usual, key = preprocessing.view(photo.size).clipped(photo.size), panel.widget_key("square")
    seen = usual if photo.square is None else photo.square
    generated = any(photo.sha256 == stimulus.sha256 for stimulus in sample_stimuli())
    made = f"{photo.name}, a generated picture" if generated else photo.name
    width, height = photo.size

    def exact() -> str:
        return data_url(png_bytes(preprocessing.crop(photo.image, photo.square)))

    def settled() -> None:
        told = str((st.session_state.get(key) or {}).get("square") or "")
        sha256, _, text = told.partition(" ")
        if sha256 == photo.sha256:
            photos.set_square(panel.key, text or None)

    _PHOTO(
        key=key,
        data={
            "photo": photo.sha256,
            "src": data_uri(photo, 720),
            "alt": f"{photo.name}, {width} by {height} pixels; the square is what the network sees",
            "note": f"{credit_of(photo) or made}. In the square: what the network sees, "
            f"{preprocessing.size}×{preprocessing.size} px. Drag it, or its corners.",
            "problem": photos.square_problem(panel.key, photo),
            "size": photo.size,
            "square": _corners(seen),
            "usual": _corners(usual),
            "said": "" if photo.square is None else square_text(photo.square),
            "least": LEAST_SQUARE,
            "input": panel.remember(("look", "input"), exact),
            "side": preprocessing.size,
            "half": len(panels()) > 1,
        },
        on_square_change=settled,
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    return box.left, box.top, box.width, box.height


def strip(key: str = "film") -> None:
    """The filmstrip; a click chooses the photo for every page. Its switch puts a second photo beside the first."""
    film = [{"sha": p.sha256, "name": p.name, "src": data_uri(p, 96)} for p in photos.photos()]
    second = photos.beside_photo()

    def clicked(name: str) -> str:
        chosen: Any = st.session_state.get(key)
        return str((chosen or {}).get(name) or "")

    def picked() -> None:
        if clicked("pick"):
            photos.forget_problems()
            photos.select_photo(clicked("pick"))

    def put_beside() -> None:
        background.stop("beside-")  # what the second photo before was asked: nobody looks at it now
        if clicked("beside"):
            photos.set_beside({"none": None, "any": next_photo()}.get(clicked("beside"), clicked("beside")))

    _STRIP(
        key=key,
        data={"photos": film, "chosen": photos.first_photo().sha256, "beside": second.sha256 if second else ""},
        on_pick_change=picked,
        on_beside_change=put_beside,
        height=112 if second else 54,
    )


def next_photo() -> str | None:
    """The hash of the photo that follows the chosen one in the filmstrip: what a comparison begins with."""
    hashes = [photo.sha256 for photo in photos.photos()]
    place = hashes.index(photos.first_photo().sha256)
    return (hashes * 2)[place + 1] if len(hashes) > 1 else None


def upload() -> None:
    """Uploader and camera; what can't be used is named in one sentence each, and the photos stay as they were."""
    key = f"upload-{photos.upload_round()}"  # a fresh key empties the widget: the filmstrip lists the photos already

    def received() -> None:
        if files := arrivals.take_over(st.session_state[key]):
            arrive(files)

    def photographed() -> None:
        picture = st.session_state["camera_picture"]
        if taken := arrivals.take_over(picture):
            arrive([(data, "camera") for data, _ in taken])
        elif picture is None:
            photos.forget_problems()

    with st.container(key="upload"):
        st.file_uploader(
            "Drop a photo or choose some",
            accept_multiple_files=True,
            key=key,
            on_change=received,
            label_visibility="collapsed",
        )
    for problem in photos.problems():
        st.error(as_text(problem))
    if names := photos.not_kept():
        st.html(render("quiet.html", text=_not_kept(names)))
    with st.container(key="photo-switches", horizontal=True, gap="medium"):
        # Behind a switch, so that the browser asks for the camera only when it is wanted.
        camera = st.toggle("Camera", key="camera")
        persistent_choice(st.toggle, "Contact sheet", options.LOOK_CONTACT_SHEET, help="All photos at a glance")
        if photos.uploads():
            st.button(
                "Take my photos away", key="clear-uploads", on_click=photos.clear_uploads, type="tertiary",
                help="From this session, and from this browser, which keeps uploaded photos until then",
            )  # fmt: skip
    if camera:
        st.camera_input("Take a photo", key="camera_picture", on_change=photographed, label_visibility="collapsed")


def arrive(files: Sequence[tuple[bytes, str]], *, choose: bool = True) -> None:
    """From a callback: takes files (content, name) that were just received, as `take` does.

    Whoever clicks meanwhile ends the run: what was not taken by then is taken by the next one (`take_arrived`).
    """
    session.put(ARRIVED, [*session.get(ARRIVED, []), (tuple(files), choose)])
    take_arrived()


def take_arrived() -> None:
    """Takes what was received and not taken yet; to be called in every whole run."""
    while waiting := session.get(ARRIVED, []):
        try:
            _take_batch(*waiting[0])
        except Exception:  # a fault must not come back with every run; the end of a run is none of these
            session.put(ARRIVED, waiting[1:])
            raise
        session.put(ARRIVED, waiting[1:])


def _take_batch(files: Sequence[tuple[bytes, str]], choose: bool) -> None:
    if choose:
        photos.forget_problems()
    if take(files, choose=choose) > 1 and choose:
        session.set_option(options.LOOK_CONTACT_SHEET, True)
    if choose:
        photos.next_upload_round()
    else:
        photos.browser_has_answered()


def take(files: Sequence[tuple[bytes, str]], *, choose: bool = True) -> int:
    """Takes the first files (content, name) for which there is room, and returns how many.

    The first one is chosen, unless what is looked at was settled before (`choose`).

    No photo goes to make room: the files that were left are named in one sentence.
    """
    known = {photo.sha256 for photo in photos.photos()}
    taken: list[Photo] = []
    left: dict[str, list[str]] = {}
    for data, name in files:
        fresh = [photo for photo in taken if photo.sha256 not in known]
        if hashlib.sha256(data).hexdigest() not in known and (why := photos.no_place_for_another(fresh)):
            left.setdefault(why, []).append(name)  # it is not even decoded
            continue
        try:
            photo = POOL.read_photo(data, name, poll=visitors.give_way)
        except ImageError as error:
            photos.add_problem(str(error))
            continue
        if why := photos.no_room_for(photo, fresh):
            left.setdefault(why, []).append(name)
        else:
            taken.append(photo)
    for photo in reversed(taken):
        if choose:
            photos.add_photo(photo)
        else:
            photos.keep_photo(photo)
    for why, names in left.items():
        photos.add_problem(_not_taken(names, why))
    return len(taken)


def _not_taken(names: Sequence[str], why: str) -> str:
    """Which files were left, and why."""
    what = "1 photo was" if len(names) == 1 else f"{len(names)} photos were"
    return (
        f"{what} not taken, because {why} and none is dropped for another: {listed(names)}. Take your photos away to "
        "begin again."
    )


def _not_kept(names: Sequence[str]) -> str:
    """Which photos a reload loses, and why."""
    room = f"{photos.MAX_KEPT_BYTES / 2**20:.0f} MB"
    return f"Gone after a reload, because this browser keeps at most {room} of your photos: {listed(names)}."


def listed(names: Sequence[str]) -> str:
    """The first five, and how many more."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
