"""The session's photos: what is in the filmstrip, which one is chosen, and which one stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from app.state import operator, options, session, shelf
from app.state.shelf import Held
from inception_model.images.decode import Photo
from inception_model.images.samples import sample_photos
from inception_model.serving.sizes import bytes_of

MAX_UPLOADS = 24
"""Photos kept per session, generated pictures among them; none is dropped for another one."""

MAX_KEPT_BYTES = 64 * 2**20
"""Bytes of files that the user's own browser keeps for a reload; the oldest are left out."""


def _held() -> list[Held]:
    """This session's own photos, newest first; also those that had to give way."""
    return cast(list[Held], session.get("uploads", []))


def uploads() -> list[Photo]:
    """This session's own photos, newest first."""
    return [photo for held in _held() if (photo := held.photo) is not None]


def given_way() -> list[str]:
    """Names of this session's photos that had to give way to those of others since the user last did something."""
    return [held.name for held in _held() if held.photo is None]


def no_place_for_another(coming: Sequence[Photo] = ()) -> str:
    """Why not even a small photo is kept besides these and those that are, in words; empty where one is."""
    full = len(uploads()) + len({photo.sha256 for photo in coming}) >= MAX_UPLOADS
    return f"at most {MAX_UPLOADS} photos of yours are kept" if full else ""


def no_room_for(photo: Photo, coming: Sequence[Photo] = ()) -> str:
    """Why a photo is not kept besides these and those that are, in words; empty where it is. One that is kept stays."""
    if any(known.sha256 == photo.sha256 for known in (*photos(), *coming)):
        return ""
    limit, before = operator.session_bytes(), [*uploads(), *coming]
    if before and sum(map(bytes_of, before)) + bytes_of(photo) > limit:
        return f"your photos may take {limit / operator.MEGABYTE:.0f} MB of this server's memory"
    return no_place_for_another(coming)


def clear_uploads() -> None:
    """Takes all photos of this session away, in the browser too; the samples stay, the first of them is looked at."""
    own = {held.sha256 for held in _held()}
    shown = {"photo": _kept("photo"), "beside": _kept("beside")}
    session.put("uploads", [])
    for name, photo in shown.items():
        if photo is not None and photo.sha256 in own:
            session.put(name, None)
            set_square("" if name == "photo" else name, None)
    session.put("removals", removals() + 1)
    set_not_kept([])
    forget_problems()


def photos() -> list[Photo]:
    """The filmstrip: this session's photos, newest first, then the samples and the generated pictures."""
    return [*uploads(), *session.named_photos()]


def shipped() -> list[Photo]:
    """The samples that everybody has, without the generated pictures."""
    return list(sample_photos())


def _kept(name: str) -> Photo | None:
    """The photo whose hash begins as the one kept under this name."""
    chosen = session.get(name, None)
    return next((photo for photo in photos() if chosen and photo.sha256.startswith(chosen)), None)


def _looked_at(name: str) -> Photo | None:
    """The same, which counts as used by that: others give way before it."""
    found = _kept(name)
    for held in _held():
        if found is not None and held.sha256 == found.sha256:
            held.touch()
    return found


def first_photo() -> Photo:
    """The chosen photo, else the first of the samples; what every page looks at, or its left half."""
    return _looked_at("photo") or session.named_photos()[0]


def beside_photo() -> Photo | None:
    """The second photo where two are compared; else None."""
    second = _looked_at("beside")
    return None if second is None or second.sha256 == first_photo().sha256 else second


def aimed(photo: Photo) -> Photo:
    """The photo with the square that was chosen for it where it is looked at; else, and with an impossible one, as it
    is."""
    for key, name in (("", "photo"), ("beside", "beside")):
        if _is_shown(photo, name) and (text := session.option(options.LOOK_SQUARE.beside(key))) is not None:
            try:
                return photo.with_square(text)
            except ValueError:
                return photo
    return photo


def square_problem(key: str, photo: Photo) -> str:
    """Why the square that was asked for is not the one that is shown, in words; empty where it is."""
    text = session.option(options.LOOK_SQUARE.beside(key))
    if text is None or not _is_shown(photo, key or "photo"):
        return ""
    try:
        photo.with_square(text)
    except ValueError as error:
        return f"The usual square is shown: {error}."
    return ""


def set_square(key: str, text: str | None) -> None:
    """Shows the network this square of the first photo, or of the second (`Panel.key`); None: the usual one."""
    session.set_option(options.LOOK_SQUARE.beside(key), text)


def _is_shown(photo: Photo, name: str) -> bool:
    """Whether it is the first photo (`photo`) or the second, and the very one that was asked for."""
    asked = session.get(name, None)
    if asked is None:
        return name == "photo" and photo.sha256 == session.named_photos()[0].sha256
    return photo.sha256.startswith(asked)


def missing_photos() -> list[str]:
    """The beginnings of the hashes of photos that a link names and this session never had."""
    asked = [session.get(name, None) for name in ("photo", "beside") if session.get(name, None) and _kept(name) is None]
    return [start for start in asked if not any(held.sha256.startswith(start) for held in _held())]


def select_photo(sha256: str) -> None:
    """Chooses a photo of the filmstrip by its hash; the second one changes places with the first."""
    if any(photo.sha256 == sha256 for photo in photos()):
        second = beside_photo()
        if second is not None and second.sha256 == sha256:
            squares = [session.option(options.LOOK_SQUARE.beside(key)) for key in ("beside", "")]
            session.put("beside", first_photo().sha256)
            for key, square in zip(("", "beside"), squares, strict=True):
                set_square(key, square)
        elif not sha256.startswith(session.get("photo", None) or first_photo().sha256):
            set_square("", None)
        session.put("photo", sha256)


def set_beside(sha256: str | None) -> None:
    """Puts a second photo beside the first, or with None takes it away; the first one changes places with it."""
    if sha256 is not None and sha256 == first_photo().sha256:
        second = beside_photo()
        if second is not None:
            select_photo(second.sha256)
    elif sha256 is None or any(photo.sha256 == sha256 for photo in photos()):
        if sha256 is None or not sha256.startswith(session.get("beside", None) or "none"):
            set_square("beside", None)
        session.put("beside", sha256)


def add_photo(photo: Photo) -> Photo:
    """Keeps and chooses a photo that is already decoded (a stimulus, say); the same bytes are kept once.

    A photo that a link asked for as the second one takes its place beside the first. Ask `no_room_for` before.
    """
    wanted, second = session.get("beside", None), _kept("beside")
    keep_photo(photo)
    if second is not None or wanted is None or not photo.sha256.startswith(wanted):
        select_photo(photo.sha256)
    return photo


def keep_photo(photo: Photo) -> None:
    """Puts a decoded photo into the filmstrip, once, and chooses nothing. Raises ValueError where there is no room."""
    if why := no_room_for(photo):
        raise ValueError(why)
    if all(known.sha256 != photo.sha256 for known in photos()):
        rest = [held for held in _held() if held.sha256 != photo.sha256]  # it gave way before, and is here again
        session.put("uploads", [shelf.hold(photo), *rest])


def removals() -> int:
    """How often this session's photos were taken away: the browser then forgets its own."""
    return int(session.get("removals", 0))


def browser_answered() -> bool:
    """Whether it is known what this browser has kept of the user's photos."""
    return bool(session.get("browser.answered", False))


def browser_has_answered() -> None:
    """The browser has handed back what it kept, or has nothing."""
    session.put("browser.answered", True)


def not_kept() -> list[str]:
    """Names of the photos for which the browser had no room: they are gone after a reload."""
    return cast(list[str], session.get("browser.left", []))


def set_not_kept(names: list[str]) -> None:
    """The browser said for which photos it has no room."""
    session.put("browser.left", names)


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
    for gone in [held for held in _held() if held.photo is None]:
        session.put("uploads", [held for held in _held() if held is not gone])
        for name in ("photo", "beside"):
            if gone.sha256.startswith(session.get(name, None) or "none"):
                session.put(name, None)
                set_square("" if name == "photo" else name, None)
