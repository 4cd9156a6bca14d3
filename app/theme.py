"""Colours and style sheets: one colour per branch and per head, nothing else is coloured.

The variables work in light and dark (`light-dark()` follows Streamlit's colour scheme) and reach into components:
`--ink`, `--mut`, `--line`, `--bg`, `--card`, `--b1x1`, `--b3x3`, `--b5x5`, `--bpool`, `--aux1`, `--aux2`, `--main`.
"""

from __future__ import annotations

import html

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from inception_model.drawing.palette import COLOURS

_VARIABLES = ";".join(f"--{name}:light-dark({light},{dark})" for name, (light, dark) in COLOURS.items())

_CSS = """
.stApp, [data-testid="stPopoverBody"] { VARIABLES }
/* A popover hangs outside of the app, where the colour scheme is not known but the text colour is. */
[data-testid="stPopoverBody"] { --ink: currentColor; --mut: color-mix(in srgb, currentColor 68%, transparent);
  --line: color-mix(in srgb, currentColor 18%, transparent); }
.stMainBlockContainer { max-width: 1240px; padding-left: 22px; padding-right: 22px; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 10px; }
/* Once, when this style arrives: what the browser still has to load takes its place unseen, so that nothing jumps. */
.stMainBlockContainer { animation: scope-in 250ms; }
@keyframes scope-in { from, to { visibility: hidden; } }

/* Focus is always seen; a closed sidebar is no stop on the keyboard's way. */
.stApp :is(a, button, summary, [tabindex]):focus-visible,
.stApp :is([data-testid="stCheckbox"] label, section[data-testid="stFileUploaderDropzone"]):has(:focus-visible) {
  outline: 2px solid var(--b1x1); outline-offset: 1px; border-radius: 4px; }
.stApp .stMain:focus-visible { outline-offset: -2px; }
section[data-testid="stSidebar"][aria-expanded="false"] { visibility: hidden; }

/* The bar on top: name, pages, and the status line at its right end. */
header.stAppHeader { border-bottom: 1px solid var(--line); background: var(--bg); }
.stAppToolbar { max-width: 1240px; margin: 0 auto; padding: 0 22px; }
[data-testid="stTopNav"]::before { content: "InceptionScope"; font-weight: 700; font-size: 18px; margin-right: 14px;
  align-self: center; color: var(--ink); }
.stAppToolbar a[data-testid="stTopNavLink"] { background: none; border-radius: 0; padding: 0 2px; margin: 0 5px; }
.stAppToolbar a[data-testid="stTopNavLink"] p { font-size: 15px; color: var(--mut); font-weight: 400; }
.stAppToolbar a[data-testid="stTopNavLink"][aria-current="page"] p { color: var(--ink); }
.stAppToolbar a[data-testid="stTopNavLink"][aria-current="page"] { box-shadow: 0 2px 0 var(--b1x1); }
.stAppToolbar a[data-testid="stTopNavLink"]:hover p { color: var(--ink); }
.scope-status { position: fixed; z-index: 999991; top: 0; height: 57px; line-height: 57px;
  right: calc(max(22px, 50vw - 598px) + 116px); color: var(--mut); font-variant-numeric: tabular-nums; }
.st-key-copy-link { position: fixed; z-index: 999991; top: 13px; right: max(22px, calc(50vw - 598px)); width: auto; }
[data-testid="stElementContainer"]:has(.scope-status) { position: absolute; }
.st-key-teach-top { position: fixed; z-index: 999991; top: 16px; right: calc(max(22px, 50vw - 598px) + 310px);
  width: auto; }
[data-testid="stLayoutWrapper"]:has(> .st-key-teach-top, > .st-key-tour-corner) { position: absolute; }
@media (max-width: 1299px) { .st-key-teach-top { display: none; } }
.st-key-teach-top p { color: var(--mut); }

/* Teach mode's sentence below a figure, and the tour in the corner with the part that it speaks of. */
p.scope-teach { margin: 2px 0 4px; padding-left: 10px; border-left: 2px solid var(--line); color: var(--mut);
  font-size: 13px; line-height: 1.45; max-width: 92ch; }
p.scope-teach cite { font-style: normal; white-space: nowrap; }
.st-key-tour-corner { position: fixed; z-index: 999980; right: 14px; bottom: 14px; width: auto; pointer-events: none; }
[data-tour="here"] { outline: 1.5px dashed var(--mut); outline-offset: 5px; border-radius: 4px; }

.stMainBlockContainer h2 { font-size: 17px; font-weight: 700; padding: 0; margin: 18px 0 4px; }
p.scope-cap { color: var(--mut); margin: 0; max-width: 72ch; }
.scope-say { padding: 9px 12px; background: var(--card); border-radius: 8px; }
.scope-mut { color: var(--mut); }
.scope-leg { display: flex; gap: 16px; flex-wrap: wrap; color: var(--mut); font-size: 13px; }
.scope-leg i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
.scope-scale { margin-left: auto; white-space: nowrap; font-variant-numeric: tabular-nums; }
.scope-kv { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; font-variant-numeric: tabular-nums; }
.scope-kv > * { overflow-wrap: anywhere; }
.scope-kv > :nth-child(odd) { color: var(--mut); }

/* A file uploader that is no larger than its job. */
section[data-testid="stFileUploaderDropzone"] { padding: 6px; min-height: 0; border: 1px dashed var(--mut); gap: 8px;
  background: none; flex-flow: row !important; align-items: center; justify-content: flex-start; }
[data-testid="stFileUploaderDropzone"] button { min-height: 34px; padding: 2px 10px; }
[data-testid="stFileUploaderDropzoneInstructions"] { margin: 0; }
[data-testid="stFileUploaderDropzoneInstructions"] span { font-size: 0; }
[data-testid="stFileUploaderDropzoneInstructions"] span::after { content: "or drop photos here"; font-size: 13px;
  color: var(--mut); }

.st-key-phone-nav { display: none; }
@media (min-width: 1340px) { [data-testid="stExpandSidebarButton"] { margin-left: -44px; } }
@media (max-width: 767px) {
  .stMainBlockContainer { padding-left: 14px; padding-right: 14px; }
  .scope-status { right: 58px; font-size: 13px; }
  .st-key-copy-link { right: 14px; }
  .st-key-phone-nav { display: flex; gap: 2px 16px; }
  .st-key-phone-nav a { padding: 0; }
  [data-testid="stToolbar"] > div::after { content: "InceptionScope"; font-weight: 700; font-size: 17px;
    margin: 0 auto 0 8px; }
  .stAppToolbar { padding: 0 8px; }
}
"""


def apply() -> None:
    """Puts the style sheet on the page; call once per run, before anything is drawn."""
    st.html(f"<style>{_CSS.replace('VARIABLES', _VARIABLES)}</style>")


def heading(title: str, sentence: str = "", above: DeltaGenerator | None = None) -> None:
    """A section heading and the one sentence under it that says what one sees (plain text).

    `above`: an `st.empty()` that takes the title, so that it stands once above two halves that each have a sentence.
    """
    said, below = f"<h2>{html.escape(title)}</h2>", f'<p class="scope-cap">{html.escape(sentence)}</p>'
    if above is not None:
        above.html(said)
    together = ("" if above is not None else said) + (below if sentence else "")
    if together:
        st.html(together)


def key_values(rows: dict[str, str]) -> None:
    """A quiet two-column list of facts (plain text)."""
    cells = "".join(f"<span>{html.escape(k)}</span><div>{html.escape(v)}</div>" for k, v in rows.items())
    st.html(f'<div class="scope-kv">{cells}</div>')
