"""What drawings of the network are drawn on: an SVG whose parts with `data-go` answer to a click, Enter and Space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

_CSS = """
:host { display: block; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 900px; font-family: inherit; }
svg.line { width: auto; height: 76px; min-width: 0; }
svg text { font-size: 11px; fill: var(--mut); text-anchor: middle; }
svg .nm { font-weight: 650; fill: var(--ink); font-size: 12px; }
svg .pill { font-weight: 650; fill: #111; }
svg .pill.main { fill: var(--bg); }
.quiet { fill: var(--card); stroke: var(--line); }
.way { fill: none; stroke: var(--mut); }
.frame, .ring { fill: none; stroke: var(--line); }
.ring { pointer-events: all; }
image { image-rendering: pixelated; }
.chosen .frame { stroke: var(--ink); stroke-width: 2; }
[data-go] { cursor: pointer; outline: none; }
[data-go]:hover rect, [data-go]:focus-visible rect { stroke: var(--ink); stroke-width: 1.5; }
[data-go]:focus-visible { outline: 2px solid var(--b1x1); outline-offset: 1px; }
[data-go][aria-current] rect { stroke: var(--ink); stroke-width: 2; }
"""

_JS = """
export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".scroll");
  if (box.drawn !== data.svg) {
    const held = parentElement.activeElement?.dataset?.go ?? box.getRootNode().activeElement?.dataset?.go;
    box.drawn = data.svg;
    box.innerHTML = data.svg;
    if (held) box.querySelector(`[data-go="${held}"]`)?.focus({ preventScroll: true });
    const chosen = box.querySelector(".chosen")?.getBoundingClientRect();
    const seen = box.getBoundingClientRect();
    if (chosen && (chosen.left < seen.left || chosen.right > seen.right)) {
      box.scrollLeft += (chosen.left + chosen.right - seen.left - seen.right) / 2;
    }
  }
  const go = (event) => {
    const target = event.target.closest?.("[data-go]");
    if (!target || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    setTriggerValue("go", target.dataset.go);
  };
  box.onclick = go;
  box.onkeydown = go;
}
"""

_CANVAS = st.components.v2.component("scope_map", html='<div class="scroll"></div>', css=_CSS, js=_JS)


def canvas(svg: str, key: str, go: Callable[[str], None], height: int | Literal["content"] = "content") -> None:
    """Shows the drawing; in a callback, `go` gets the `data-go` of the part that was chosen."""

    def went() -> None:
        answer: Any = st.session_state.get(key)
        if where := str((answer or {}).get("go") or ""):
            go(where)

    _CANVAS(key=key, data={"svg": svg}, on_go_change=went, height=height)
