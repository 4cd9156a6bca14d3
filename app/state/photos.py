"""The session's photos: what is in the filmstrip, which one is chosen, and which one stands beside it."""

from __future__ import annotations

from typing import cast

from app.state import session
from inception_model.images.decode import Photo

MAX_UPLOADS = 24
"""Photos kept per session. Uploads wait for room; the oldest goes when a generated picture is kept."""


def uploads() -> list[Photo]:
    """This session's own photos, newest first."""
    return cast(list[Photo], session.get("uploads", []))


def room() -> int:
    """How many more uploads are taken."""
    return max(0, MAX_UPLOADS - len(uploads()))


def clear_uploads() -> None:
    """Takes all photos of this session away; the samples stay, and the first of them is looked at."""
    own = {photo.sha256 for photo in uploads()}
    shown = {"photo": _kept("photo"), "beside": _kept("beside")}
    session.put("uploads", [])
    for name, photo in shown.items():
        if photo is not None and photo.sha256 in own:
            session.put(name, None)
    forget_problems()


def photos() -> list[Photo]:
    """The filmstrip: this session's photos, newest first, then the samples and the generated pictures."""
    return [*uploads(), *session.named_photos()]


def _kept(name: str) -> Photo | None:
    """The photo whose hash begins as the one kept under this name."""
    chosen = session.get(name, None)
    return next((photo for photo in photos() if chosen and photo.sha256.startswith(chosen)), None)


def first_photo() -> Photo:
    """The chosen photo, else the first of the samples; what every page looks at, or its left half."""
    return _kept("photo") or session.named_photos()[0]


def beside_photo() -> Photo | None:
    """The second photo where two are compared; else None."""
    second = _kept("beside")
    return None if second is None or second.sha256 == first_photo().sha256 else second


def missing_photos() -> list[str]:
    """The beginnings of the hashes of photos that a link names and this session does not have."""
    return [session.get(name, None) for name in ("photo", "beside") if session.get(name, None) and _kept(name) is None]


def select_photo(sha256: str) -> None:
    """Chooses a photo of the filmstrip by its hash; the second one changes places with the first."""
    if any(photo.sha256 == sha256 for photo in photos()):
        second = beside_photo()
        if second is not None and second.sha256 == sha256:
            session.put("beside", first_photo().sha256)
        session.put("photo", sha256)


def set_beside(sha256: str | None) -> None:
    """Puts a second photo beside the first, or with None takes it away; the first one changes places with it."""
    if sha256 is not None and sha256 == first_photo().sha256:
        second = beside_photo()
        if second is not None:
            select_photo(second.sha256)
    elif sha256 is None or any(photo.sha256 == sha256 for photo in photos()):
        session.put("beside", sha256)


def add_photo(photo: Photo) -> Photo:
    """Keeps and chooses a photo that is already decoded (a stimulus, say); the same bytes are kept once.

    A photo that a link asked for as the second one takes its place beside the first.
    """
    wanted, second = session.get("beside", None), _kept("beside")
    if all(known.sha256 != photo.sha256 for known in photos()):
        session.put("uploads", [photo, *uploads()][:MAX_UPLOADS])
    if second is not None and _kept("beside") is None:
        session.put("beside", None)  # it was the oldest
    if second is not None or wanted is None or not photo.sha256.startswith(wanted):
        select_photo(photo.sha256)
    return photo


def upload_round() -> int:
    """Counts the uploads taken: a part of the uploader's key, so that it is empty again after each."""
    return int(session.get("round", 0))


def next_upload_round() -> None:
    """The uploader's photos are taken over; it starts empty."""
    session.put("round", upload_round() + 1)


def problems() -> list[str]:
    """One sentence for each file of the last upload that could not be used."""
    return cast(list[str], session.get("problems", []))


def add_problem(sentence: str) -> None:
    """Says what was wrong with an upload."""
    session.put("problems", [*problems(), sentence])


def forget_problems() -> None:
    """The user did something else."""
    session.put("problems", [])
