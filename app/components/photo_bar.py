"""The photo with the network's square on it, and the filmstrip below it that chooses another one."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import streamlit as st
from PIL import Image

from app import state
from inception_model.preprocessing import Box, ImageError, Photo
from inception_model.samples import credit_of
from inception_model.stimuli import sample_stimuli

_PHOTO_CSS = """<style>
.scope-photo { margin: 0; text-align: center; }
.scope-photo > div { position: relative; display: inline-block; vertical-align: top; }
.scope-photo img { display: block; max-width: 100%; max-height: 340px; border-radius: 8px; }
.scope-photo i { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 1px #0008; }
.scope-photo figcaption { color: var(--mut); font-size: 13px; margin-top: 6px; text-align: left;
  overflow-wrap: anywhere; }
</style>"""

_STRIP_CSS = """
:host { display: block; }
.film { display: flex; gap: 6px; overflow-x: auto; padding: 3px; }
button { flex: none; width: 48px; height: 48px; padding: 0; border: 0; border-radius: 5px; overflow: hidden;
  cursor: pointer; background: var(--card); box-shadow: 0 0 0 1px var(--line); }
button img { width: 100%; height: 100%; object-fit: cover; display: block; }
button[aria-pressed="true"] { box-shadow: 0 0 0 2px var(--ink); }
button:focus-visible { outline: 2px solid var(--b1x1); outline-offset: 1px; }
"""

_STRIP_JS = """
export default function({ parentElement, data, setTriggerValue }) {
  const film = parentElement.querySelector(".film");
  const known = new Map([...film.children].map((button) => [button.dataset.sha, button]));
  film.replaceChildren(...data.photos.map(({ sha, name, src }) => {
    const button = known.get(sha) ?? document.createElement("button");
    if (!known.has(sha)) {
      const img = document.createElement("img");
      img.src = src;
      img.alt = "";
      button.append(img);
      button.type = "button";
      button.dataset.sha = sha;
    }
    button.title = name;
    button.setAttribute("aria-label", `look at ${name}`);
    button.setAttribute("aria-pressed", String(sha === data.chosen));
    button.onclick = () => setTriggerValue("pick", sha);
    return button;
  }));
}
"""

_STRIP = st.components.v2.component(
    "scope_film", html='<div class="film" role="group" aria-label="photos"></div>', css=_STRIP_CSS, js=_STRIP_JS
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


def photo_html(photo: Photo, view: Box, note: str = "") -> str:
    """The whole photo, undistorted, with the network's square drawn on it; `note` stands below."""
    width, height = photo.size
    seen = view.clipped(photo.size)
    place = (
        f"left:{seen.left / width:.3%};top:{seen.top / height:.3%};"
        f"width:{seen.width / width:.3%};height:{seen.height / height:.3%}"
    )
    alt = html.escape(f"{photo.name}, {width} by {height} pixels; the square is what the network sees")
    return (
        f'{_PHOTO_CSS}<figure class="scope-photo"><div><img src="{data_uri(photo, 720)}" alt="{alt}">'
        f'<i style="{place}"></i></div><figcaption>{html.escape(note)}</figcaption></figure>'
    )


def show() -> None:
    """Photo, filmstrip, uploader and camera: everything that chooses what is looked at."""
    photo = state.current_photo()
    preprocessing = state.checkpoint().preprocessing
    seen = f"{preprocessing.size}×{preprocessing.size} px"
    made = f"{photo.name}, a generated picture" if photo in sample_stimuli() else photo.name
    note = f"{credit_of(photo) or made}. In the square: what the network sees, {seen}."
    st.html(photo_html(photo, preprocessing.view(photo.size), note))
    strip()
    upload()


def strip(key: str = "film") -> None:
    """The filmstrip; a click chooses the photo for every page."""
    photos = [{"sha": p.sha256, "name": p.name, "src": data_uri(p, 96)} for p in state.photos()]

    def picked() -> None:
        chosen: Any = st.session_state.get(key)
        if chosen is not None and chosen.get("pick"):
            state.forget_problems()
            state.select_photo(str(chosen["pick"]))

    _STRIP(key=key, data={"photos": photos, "chosen": state.current_photo().sha256}, on_pick_change=picked, height=54)


def upload() -> None:
    """Uploader and camera; what can't be used is named in one sentence each, and the photos stay as they were."""
    key = f"upload-{state.upload_round()}"  # a fresh key empties the widget: the filmstrip lists the photos already

    def received() -> None:
        state.forget_problems()
        for file in reversed(st.session_state[key] or []):
            _take(file.getvalue(), file.name)
        state.next_upload_round()

    def taken() -> None:
        state.forget_problems()
        if (picture := st.session_state["camera_picture"]) is not None:
            _take(picture.getvalue(), "camera")

    with st.container(key="upload"):
        st.file_uploader(
            "Drop a photo or choose some",
            accept_multiple_files=True,
            key=key,
            on_change=received,
            label_visibility="collapsed",
        )
    for problem in state.problems():
        st.error(problem)
    # Behind a switch, so that the browser asks for the camera only when it is wanted.
    if st.toggle("Camera", key="camera"):
        st.camera_input("Take a photo", key="camera_picture", on_change=taken, label_visibility="collapsed")


def _take(data: bytes, name: str) -> None:
    try:
        state.add_upload(data, name)
    except ImageError as error:
        state.add_problem(str(error))
