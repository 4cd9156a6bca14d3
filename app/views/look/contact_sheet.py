"""The visitor's own photos (the samples where there are none): what each trained head says first, and whether they
agree.

Only these few answers are kept of each photo, not its maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import theme
from app.jobs.first_answers import first_answers_job
from app.state import network, options, photos, session
from app.static import script, style
from app.templates import render
from app.widgets import filmstrip, progress, teach
from inception_model.architecture.spec import HeadName
from inception_model.drawing.csv_table import csv_text
from inception_model.drawing.numbers import percent, short
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Answer

_CSS = style("contact_sheet")

_JS = script("contact_sheet")

_SHEET = st.components.v2.component(
    "scope_sheet",
    html=render("look_sheet.html"),
    css=_CSS,
    js=_JS,
)


@dataclass(frozen=True)
class Row:
    """A photo on the sheet: trained head -> its first answer, in the order in which the photo reaches them."""

    photo: Photo
    says: dict[HeadName, Answer]

    @property
    def agreeing(self) -> int:
        """How many heads share the commonest answer."""
        return Counter(answer.index for answer in self.says.values()).most_common(1)[0][1]

    @property
    def in_words(self) -> str:
        """Whether the heads agree."""
        if len(self.says) == 1:
            return "one head"
        if self.agreeing == len(self.says):
            return "agree"
        return f"{self.agreeing} of {len(self.says)}" if self.agreeing > 1 else "all differ"

    @property
    def sure(self) -> float:
        """The probability of the deepest trained head's answer."""
        return list(self.says.values())[-1].probability


def rows() -> list[Row]:
    """The rows that are known by now, in the order of the filmstrip; the others are on their way.

    The visitor's own photos, as soon as there are any: counts speak of them and of no sample.
    """
    film = [photos.aimed(photo) for photo in photos.uploads() or photos.photos()]
    jobs = [first_answers_job(photo) for photo in film]
    found = progress.answers(None, "sheet", jobs, "Contact sheet")
    return [Row(photo, found[job.key]) for photo, job in zip(film, jobs, strict=True) if job.key in found]


def show(key: str = "sheet") -> None:
    """The sheet where its switch is on; a click looks at that photo."""
    if not session.option(options.LOOK_CONTACT_SHEET) or not network.trained_heads():
        return
    place = st.container()
    found = rows()
    with place:
        theme.heading("Your photos at a glance" if photos.uploads() else "All photos at a glance", sentence(found))

    def clicked() -> None:
        value: Any = st.session_state.get(key)
        photos.forget_problems()
        photos.select_photo(str((value or {}).get("look") or ""))

    if found:
        data = {
            "rows": [_row_data(place, row) for place, row in enumerate(found)],
            "heads": list(found[0].says),
            "here": photos.first_photo().sha256,
        }
        _SHEET(key=key, data=data, on_look_change=clicked)
        teach.note("contact-sheet")
        st.download_button(
            "CSV", lambda: sheet_csv(found), "contact-sheet.csv", "text/csv", key="sheet-csv", on_click="ignore",
            help="Every head's first answer for every photo",
        )  # fmt: skip


def sentence(found: Sequence[Row]) -> str:
    """What one sees, with numbers."""
    if not found:
        return "What each trained head says first about every photo of the filmstrip."
    agree = sum(row.agreeing == len(row.says) for row in found)
    return (
        f"What each trained head says first: the heads agree on {agree} of {len(found)} photos, and the last one is on "
        f"average {percent(sum(row.sure for row in found) / len(found))} sure. A click looks at the photo. "
        "(Paper, section 5.)"
    )


def _row_data(place: int, row: Row) -> dict[str, Any]:
    return {
        "place": place,
        "sha": row.photo.sha256,
        "name": row.photo.name,
        "src": filmstrip.data_uri(row.photo, 96),
        "agree": row.in_words,
        "agreeing": row.agreeing,
        "sure": row.sure,
        "says": [
            {"head": head, "label": short(a.label), "said": percent(a.probability), "share": round(100 * a.probability)}
            for head, a in row.says.items()
        ],
    }


def sheet_csv(found: Sequence[Row]) -> str:
    """One line per photo: hash, every head's first answer, and how many heads share the commonest."""
    heads = list(found[0].says)
    columns = [f"{head}_{what}" for head in heads for what in ("label", "wnid", "probability")]
    rows: list[list[object]] = []
    for row in found:
        says = [(a.label, a.wnid, f"{a.probability:.6g}") for a in row.says.values()]
        rows.append([row.photo.name, row.photo.sha256, *(cell for cells in says for cell in cells), row.agreeing])
    return csv_text(["photo", "sha256", *columns, "agreeing"], rows)
