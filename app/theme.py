"""Colours and style sheets: one colour per branch and per head, nothing else is coloured.

The variables work in light and dark (`light-dark()` follows Streamlit's colour scheme) and reach into components:
`--ink`, `--mut`, `--line`, `--bg`, `--card`, `--b1x1`, `--b3x3`, `--b5x5`, `--bpool`, `--aux1`, `--aux2`, `--main`.
"""

from __future__ import annotations

import streamlit as st

BRANCH_COLOURS = {"1x1": "#0072B2", "3x3": "#009E73", "5x5": "#D55E00", "pool": "#CC79A7"}
"""Okabe and Ito's palette, safe for colour-blind eyes."""

BRANCH_NAMES = {"1x1": "1×1", "3x3": "3×3", "5x5": "5×5", "pool": "pool"}
"""The branches as printed in the paper."""

HEAD_COLOURS = {"aux1": "#E69F00", "aux2": "#56B4E9", "main": "light-dark(#1b1f24, #e8eaed)"}

_VARIABLES = ";".join(
    [
        "--ink:light-dark(#1b1f24,#e8eaed)",
        "--mut:light-dark(#5d6670,#9aa4ae)",
        "--line:light-dark(#dfe3e8,#2f353c)",
        "--bg:light-dark(#ffffff,#111418)",
        "--card:light-dark(#f7f8fa,#191d22)",
        *(f"--b{name}:{colour}" for name, colour in BRANCH_COLOURS.items()),
        *(f"--{name}:{colour}" for name, colour in HEAD_COLOURS.items()),
    ]
)

_CSS = """
.stApp { VARIABLES }
.stMainBlockContainer { max-width: 1240px; padding-left: 22px; padding-right: 22px; }
.stApp h2 { padding: 22px 0 0; }
.stApp h2 + p { margin: 0; }
.scope-cap { color: var(--mut); margin: 0; max-width: 72ch; }
.scope-say { padding: 9px 12px; background: var(--card); border-radius: 8px; }
.scope-mut { color: var(--mut); }
.scope-leg { display: flex; gap: 16px; flex-wrap: wrap; color: var(--mut); font-size: 13px; }
.scope-leg i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
.scope-kv { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.scope-kv > :nth-child(odd) { color: var(--mut); }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 12px; }
"""


def apply() -> None:
    """Puts the style sheet on the page; call once per run, before anything is drawn."""
    st.html(f"<style>{_CSS.replace('VARIABLES', _VARIABLES)}</style>")


def heading(title: str, sentence: str = "") -> None:
    """A section heading and the one sentence under it that says what one sees."""
    st.html(f'<h2>{title}</h2><p class="scope-cap">{sentence}</p>' if sentence else f"<h2>{title}</h2>")
