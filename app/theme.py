"""Colours and style sheets: one colour per branch and per head, nothing else is coloured.

The variables work in light and dark (`light-dark()` follows Streamlit's colour scheme) and reach into components:
`--ink`, `--mut`, `--line`, `--bg`, `--card`, `--b1x1`, `--b3x3`, `--b5x5`, `--bpool`, `--aux1`, `--aux2`, `--main`.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.static import style
from app.templates import render, style_element
from inception_model.drawing.palette import COLOURS

_VARIABLES = ";".join(f"--{name}:light-dark({light},{dark})" for name, (light, dark) in COLOURS.items())


def chart_rules() -> str:
    """Rules that give the greys of every chart the page's own values: charts are drawn once, in the light palette."""
    rules = []
    for name in ("ink", "mut", "line", "bg", "card"):
        value = COLOURS[name][0].lstrip("#")
        written = f"rgb({', '.join(str(int(value[at : at + 2], 16)) for at in (0, 2, 4))})"
        rules += [
            f'.stPlotlyChart :is([style*="{what}: {written}"], [{what}="{written}"])'
            f" {{ {what}: var(--{name}) !important; }}"
            for what in ("fill", "stroke")
        ]
    return "\n".join(rules)


_CSS = f""".stApp, [data-testid="stPopoverBody"] {{ {_VARIABLES} }}
{style("page")}{style("chart")}{chart_rules()}"""
"""The colours as variables, the page's style sheet, and what gives charts the page's greys."""


def apply() -> None:
    """Puts the style sheet on the page; call once per run, before anything is drawn."""
    st.html(style_element(_CSS))


def heading(title: str, sentence: str = "", above: DeltaGenerator | None = None) -> None:
    """A section heading and the one sentence under it that says what one sees (plain text).

    `above`: an `st.empty()` that takes the title, so that it stands once above two halves that each have a sentence.
    """
    if above is not None:
        above.html(render("heading.html", title=title, sentence=""))
    if above is None or sentence:
        st.html(render("heading.html", title=title if above is None else None, sentence=sentence))


def key_values(rows: dict[str, str]) -> None:
    """A quiet two-column list of facts (plain text)."""
    st.html(render("key_values.html", rows=rows))
