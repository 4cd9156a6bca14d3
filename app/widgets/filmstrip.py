"""The photo with the network's square on it, and the filmstrip below it that chooses another one."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup
from PIL import Image

from app.jobs import background
from app.state import network, options, photos, session
from app.state.panel import Panel
from app.static import script, style
from app.templates import as_text, render
from app.widgets.persistent_choice import persistent_choice
from inception_model.images.decode import ImageError, Photo, read_photo
from inception_model.images.geometry import Box
from inception_model.images.samples import credit_of
from inception_model.images.stimuli import sample_stimuli

_STRIP_CSS = style("filmstrip_strip")

_STRIP_JS = script("filmstrip_strip")

_STRIP = st.components.v2.component(
    "scope_film",
    html="""<div class="row first"><span class="which" hidden>first</span>
<div class="film" role="group" aria-label="photos"></div>
<button class="compare" type="button" title="Two photos beside each other, on every page">Compare</button></div>
<div class="row second" hidden><span class="which">second</span>
<div class="film" role="group" aria-label="second photo"></div>
<button class="stop" type="button" title="Take the second photo away" aria-label="take the second photo away">×</button>
</div>
""",
    css=_STRIP_CSS,
    js=_STRIP_JS,
)


@st.cache_data(max_entries=256, show_spinner=False)
def _uri(sha256: str, side: int, _image: Image.Image) -> str:
    small = _image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def data_uri(photo: Photo, side: int) -> str:
    """The photo as a JPEG address of at most `side` pixels, made once."""
    return _uri(photo.sha256, side, photo.image)


def photo_html(photo: Photo, view: Box, note: str = "") -> Markup:
    """The whole photo, undistorted, with the network's square drawn on it; `note` stands below."""
    width, height = photo.size
    seen = view.clipped(photo.size)
    return render(
        "filmstrip_photo.html", source=data_uri(photo, 720), note=note,
        alt=f"{photo.name}, {width} by {height} pixels; the square is what the network sees",
        left=seen.left / width, top=seen.top / height, width=seen.width / width, height=seen.height / height,
    )  # fmt: skip


def show(panel: Panel) -> None:
    """Photo, filmstrip, uploader and camera: everything that chooses what is looked at."""
    picture(panel)
    strip()
    upload()


def picture(panel: Panel) -> None:
    """A panel's photo, with its credit or name."""
    photo = panel.photo
    preprocessing = network.checkpoint().preprocessing
    seen = f"{preprocessing.size}×{preprocessing.size} px"
    made = f"{photo.name}, a generated picture" if photo in sample_stimuli() else photo.name
    note = f"{credit_of(photo) or made}. In the square: what the network sees, {seen}."
    st.html(photo_html(photo, preprocessing.view(photo.size), note))


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
        photos.forget_problems()
        files = [(file.getvalue(), file.name) for file in st.session_state[key] or []]
        if _take(files) > 1:
            session.set_option(options.LOOK_CONTACT_SHEET, True)
        photos.next_upload_round()

    def photographed() -> None:
        photos.forget_problems()
        if (picture := st.session_state["camera_picture"]) is not None:
            _take([(picture.getvalue(), "camera")])

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
    if photos.room() == 0:
        st.button("Take my photos away", key="clear-uploads", on_click=photos.clear_uploads)
    with st.container(key="photo-switches", horizontal=True, gap="medium"):
        # Behind a switch, so that the browser asks for the camera only when it is wanted.
        camera = st.toggle("Camera", key="camera")
        persistent_choice(st.toggle, "Contact sheet", options.LOOK_CONTACT_SHEET, help="All photos at a glance")
    if camera:
        st.camera_input("Take a photo", key="camera_picture", on_change=photographed, label_visibility="collapsed")


def _take(files: Sequence[tuple[bytes, str]]) -> int:
    """Takes the first files (content, name) for which there is room, and returns how many; the first one is chosen.

    No photo goes to make room: the files that were left are named in one sentence.
    """
    known, room = {photo.sha256 for photo in photos.photos()}, photos.room()
    taken: list[Photo] = []
    left: list[str] = []
    for data, name in files:
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known and room == 0:
            left.append(name)
            continue
        try:
            taken.append(read_photo(data, name))
        except ImageError as error:
            photos.add_problem(str(error))
            continue
        if sha256 not in known:
            known.add(sha256)
            room -= 1
    for photo in reversed(taken):
        photos.add_photo(photo)
    if left:
        photos.add_problem(_not_taken(left))
    return len(taken)


def _not_taken(names: Sequence[str]) -> str:
    """Which files were left, and why."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    what = "1 photo was" if len(names) == 1 else f"{len(names)} photos were"
    return (
        f"{what} not taken, because at most {photos.MAX_UPLOADS} photos of yours are kept and none is dropped for "
        f"another: {shown}. Take your photos away to begin again."
    )
