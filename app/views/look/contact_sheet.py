"""All photos of the filmstrip at a glance: what each trained head says first, and whether the heads agree.

Only these few answers are kept of each photo, not its maps.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import theme
from app.jobs.first_answers import first_answers_job
from app.state import network, options, photos, session
from app.widgets import filmstrip, progress, teach
from inception_model.architecture.spec import HeadName
from inception_model.drawing.numbers import percent, short
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Answer

_CSS = """
:host { display: block; font-size: 14px; line-height: 1.3; }
.sort { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; margin: 2px 0 8px; color: var(--mut); }
.sort button { padding: 3px 10px; border-radius: 99px; border: 1px solid var(--line); }
.sort button[aria-pressed="true"] { border-color: var(--ink); }
button { font: inherit; color: var(--ink); background: none; border: 0; cursor: pointer; padding: 0; text-align: left; }
button:focus-visible { outline: 2px solid var(--b1x1); outline-offset: 2px; }
.sheet { max-height: 448px; overflow-y: auto; border: 1px solid var(--line); border-radius: 8px; }
.row, .top { display: grid; grid-template-columns: minmax(150px, 1.1fr) repeat(var(--heads), minmax(0, 1fr)) 92px;
  gap: 10px; align-items: center; padding: 5px 10px; }
.row { border-top: 1px solid var(--line); cursor: pointer; }
.top { position: sticky; top: 0; z-index: 1; background: var(--bg); color: var(--mut); }
.top :nth-child(n+2) { padding-left: 7px; }
.top :last-child { text-align: right; }
.row:hover, .row.here { background: var(--card); }
.row.here { box-shadow: inset 3px 0 0 var(--ink); }
.photo { display: flex; gap: 10px; align-items: center; min-width: 0; }
.photo img { flex: none; width: 44px; height: 44px; object-fit: cover; border-radius: 5px; }
.photo span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.says { display: flex; justify-content: space-between; gap: 8px; padding: 3px 7px; border-radius: 3px; min-width: 0;
  font-variant-numeric: tabular-nums;
  background: linear-gradient(90deg, color-mix(in srgb, var(--c) 32%, transparent) var(--p), transparent var(--p)); }
.says span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.says b { display: none; font-weight: 400; color: var(--mut); }
.agree { color: var(--mut); text-align: right; }
@media (max-width: 767px) {
  .top { display: none; }
  .row { grid-template-columns: 1fr auto; gap: 3px 10px; padding: 8px 10px; }
  .says { grid-column: 1 / -1; }
  .says b { display: inline; }
  .photo { grid-column: 1; grid-row: 1; }
  .agree { grid-column: 2; grid-row: 1; }
}
"""

_JS = """
const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const draw = (row, here, look) => {
  const line = make("div", row.sha === here ? "row here" : "row");
  const photo = make("button", "photo"), img = make("img");
  photo.type = "button";
  photo.setAttribute("aria-label", `open ${row.name}`);
  photo.title = row.name;
  img.src = row.src;
  img.alt = "";
  photo.append(img, make("span", "", row.name));
  line.append(photo);
  for (const { head, label, said, share } of row.says) {
    const cell = make("div", "says"), words = make("span", "", label);
    words.prepend(make("b", "", `${head} `));
    cell.style.setProperty("--c", `var(--${head})`);
    cell.style.setProperty("--p", `${share}%`);
    cell.title = `${head}: ${label} ${said}`;
    cell.append(words, make("span", "", said));
    line.append(cell);
  }
  line.append(make("div", "agree", row.agree));
  line.onclick = () => look(row.sha);
  return line;
};

const ORDERS = {
  "as in the filmstrip": (a, b) => a.place - b.place,
  "least agreement first": (a, b) => a.agreeing - b.agreeing || a.sure - b.sure,
  "surest first": (a, b) => b.sure - a.sure,
  "least sure first": (a, b) => a.sure - b.sure,
};

export default function({ parentElement, data, setTriggerValue }) {
  const sort = parentElement.querySelector(".sort"), sheet = parentElement.querySelector(".sheet");
  const look = (sha) => setTriggerValue("look", sha);
  const show = () => {
    const rows = [...data.rows].sort(ORDERS[sheet.order]);
    const top = make("div", "top");
    top.append(...["photo", ...data.heads, "the heads"].map((text) => make("span", "", text)));
    sheet.style.setProperty("--heads", data.heads.length);
    sheet.replaceChildren(top, ...rows.map((row) => draw(row, data.here, look)));
    for (const button of sort.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.textContent === sheet.order));
  };
  if (!sheet.order) {
    sheet.order = Object.keys(ORDERS)[0];
    sort.append(...Object.keys(ORDERS).map((order) => {
      const button = make("button", "", order);
      button.type = "button";
      return button;
    }));
  }
  for (const button of sort.querySelectorAll("button"))
    button.onclick = () => { sheet.order = button.textContent; show(); };
  const top = sheet.scrollTop;
  show();
  sheet.scrollTop = top;
}
"""

_SHEET = st.components.v2.component(
    "scope_sheet",
    html='<div class="sort" role="group" aria-label="order of the contact sheet"></div>\n'
    '<div class="sheet" role="group" aria-label="contact sheet" tabindex="0"></div>\n',
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
    """The rows that are known by now, in the order of the filmstrip; the others are on their way."""
    film = photos.photos()
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
        theme.heading("All photos at a glance", sentence(found))

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
            "CSV", lambda: csv_text(found), "contact-sheet.csv", "text/csv", key="sheet-csv", on_click="ignore",
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


def csv_text(found: Sequence[Row]) -> str:
    """One line per photo: hash, every head's first answer, and how many heads share the commonest."""
    out, heads = io.StringIO(), list(found[0].says)
    writer = csv.writer(out, lineterminator="\n")
    columns = [f"{head}_{what}" for head in heads for what in ("label", "wnid", "probability")]
    writer.writerow(["photo", "sha256", *columns, "agreeing"])
    for row in found:
        says = [(a.label, a.wnid, f"{a.probability:.6g}") for a in row.says.values()]
        writer.writerow([row.photo.name, row.photo.sha256, *(cell for cells in says for cell in cells), row.agreeing])
    return out.getvalue()
