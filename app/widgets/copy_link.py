"""A button in the bar on top that copies the address: a link to exactly this view."""

from __future__ import annotations

import streamlit as st

_CSS = """
:host { display: block; }
.copy { position: relative; font-size: 15px; line-height: 1; }
button { display: flex; gap: 6px; align-items: center; height: 32px; padding: 0 8px; margin: 0; font: inherit;
  color: var(--mut); background: none; border: 1px solid var(--line); border-radius: 6px; cursor: pointer; }
button:hover { color: var(--ink); border-color: var(--mut); }
button:focus-visible, input:focus-visible { outline: 2px solid var(--b1x1); outline-offset: 1px; }
svg { width: 15px; height: 15px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; }
label { position: absolute; right: 0; top: 40px; width: min(420px, 86vw); padding: 8px 10px; box-sizing: border-box;
  border: 1px solid var(--line); border-radius: 8px; background: var(--bg); color: var(--mut); font-size: 13px; }
label[hidden] { display: none; }
input { display: block; width: 100%; box-sizing: border-box; margin-top: 6px; padding: 5px 7px; font: inherit;
  color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 5px; }
@media (max-width: 767px) {
  .words { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .said .words { position: static; width: auto; height: auto; clip-path: none; }
}
"""

_JS = """
export default function({ parentElement }) {
  const box = parentElement.querySelector(".copy"), button = box.querySelector("button");
  const words = box.querySelector(".words"), label = box.querySelector("label"), input = box.querySelector("input");
  const say = (text) => {
    words.textContent = text;
    box.classList.add("said");
    clearTimeout(box.timer);
    box.timer = setTimeout(() => { words.textContent = "Copy link"; box.classList.remove("said"); }, 2500);
  };
  // Browsers refuse the clipboard on plain http: then the link is there to be copied by hand.
  const byHand = () => {
    input.value = location.href;
    label.hidden = false;
    input.focus();
    input.select();
  };
  const close = () => { label.hidden = true; };
  button.onclick = async () => {
    close();
    try {
      await navigator.clipboard.writeText(location.href);
      say("Copied");
    } catch {
      byHand();
    }
  };
  input.onblur = close;
  input.onkeydown = (event) => { if (event.key === "Escape") { close(); button.focus(); } };
  return () => clearTimeout(box.timer);
}
"""

_COPY = st.components.v2.component(
    "scope_copy_link",
    html="""<div class="copy"><button type="button" title="Copy a link to this view">
<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 14a5 5 0 0 0 7 0l3-3a5 5 0 0 0-7-7l-1 1"/>
<path d="M14 10a5 5 0 0 0-7 0l-3 3a5 5 0 0 0 7 7l1-1"/></svg><span class="words" aria-live="polite">Copy link</span>
</button><label hidden>The browser keeps its clipboard closed here: press Ctrl+C (⌘C) to copy the link.
<input readonly></label></div>
""",
    css=_CSS,
    js=_JS,
)


def show() -> None:
    """The button, at the right end of the bar on top (`theme` places it)."""
    with st.container(key="copy-link"):
        _COPY(key="copy-link-button")
