"""The network drawn to scale, coloured by the current photo: the app's navigation."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import state, theme
from app.components.heads_view import HeadView, head_views, percent, short
from inception_model.capture import Trace
from inception_model.spec import BRANCHES, BranchKind, NetworkSpec

_HEIGHT, _WIDTH, _MIDDLE = 150.0, 66.0, 125.0

_CSS = """
:host { display: block; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 900px; font-family: inherit; }
svg text { font-size: 11px; fill: var(--mut); text-anchor: middle; }
svg .nm { font-weight: 650; fill: var(--ink); font-size: 12px; }
svg .pill { font-weight: 650; fill: #111; }
svg .pill.main { fill: var(--bg); }
.quiet { fill: var(--card); stroke: var(--line); }
.way { fill: none; stroke: var(--mut); }
.frame { fill: none; stroke: var(--line); }
.chosen .frame { stroke: var(--ink); stroke-width: 2; }
[data-go] { cursor: pointer; outline: none; }
[data-go]:hover rect, [data-go]:focus-visible rect { stroke: var(--ink); stroke-width: 1.5; }
"""

_JS = """
export default function({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".scroll");
  if (box.drawn !== data.svg) {
    box.drawn = data.svg;
    box.innerHTML = data.svg;
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

_MAP = st.components.v2.component("scope_map", html='<div class="scroll"></div>', css=_CSS, js=_JS)


@dataclass(frozen=True)
class Lane:
    """One branch on one photo: its mean activation and the share of positions where it is not zero."""

    mean: float
    active: float


Lanes = Mapping[str, Mapping[BranchKind, Lane]]


def lanes_of(trace: Trace) -> Lanes:
    """Mean activation and active share of all branches, over channels and positions of the first image."""
    return {
        name: {
            kind: Lane(float(branch.output[0].mean()), float((branch.output[0] > 0).float().mean()))
            for kind, branch in block.branches.items()
        }
        for name, block in trace.blocks.items()
    }


def mean_range(lanes: Lanes) -> tuple[float, float]:
    """The smallest and the largest mean activation of all branches: the palest and the strongest lane."""
    means = [lane.mean for module in lanes.values() for lane in module.values()]
    return min(means), max(means)


def map_svg(
    spec: NetworkSpec, lanes: Lanes, sides: Mapping[str, int], heads: list[HeadView], chosen: str | None = None
) -> str:
    """The drawing: lanes as tall as their share of a module's channels, as strong in colour as their mean
    activation.

    `sides`: height of each module's maps in positions. Everything clickable carries `data-go`: `4d/5x5` or `head/aux1`.
    """
    pen = _Pen(*mean_range(lanes))
    pen.box(54, 120, "image")
    pen.arrow()
    pen.box(58, 104, "stem")
    pen.arrow()
    for name in spec.module_names:
        pen.module(spec, name, lanes[name], sides[name], name == chosen)
        if spec.pool_after(name) is not None:
            pen.funnel()
        else:
            pen.arrow()
    pen.box(54, 104, "avg")
    pen.arrow()
    for head in heads:
        pen.pill(head)
    return (
        f'<svg viewBox="0 0 {pen.x:.0f} 244" role="group" aria-label="the network, module by module">'
        f"{''.join(pen.parts)}</svg>"
    )


class _Pen:
    """Draws from left to right; `x` is where the next part starts."""

    def __init__(self, palest: float, darkest: float) -> None:
        self.x, self.parts, self.centres = 2.0, list[str](), dict[str, float]()
        self.palest, self.span = palest, max(darkest - palest, 1e-9)

    def box(self, width: float, height: float, text: str) -> None:
        """A part of the network that can't be entered."""
        self.parts.append(
            f'<rect class="quiet" x="{self.x}" y="{_MIDDLE - height / 2}" width="{width}" height="{height}" rx="4"/>'
            f'<text x="{self.x + width / 2}" y="{_MIDDLE + 4}">{text}</text>'
        )
        self.x += width

    def arrow(self) -> None:
        self.parts.append(f'<path class="way" d="M{self.x + 3} {_MIDDLE}h11m-4-4l4 4l-4 4"/>')
        self.x += 18

    def funnel(self) -> None:
        """A max pool: half as many positions follow."""
        self.parts.append(
            f'<path fill="var(--line)" d="M{self.x + 6} 95l9 12v36l-9 12z"><title>max pool</title></path>'
        )
        self.x += 21

    def module(self, spec: NetworkSpec, name: str, lanes: Mapping[BranchKind, Lane], side: int, chosen: bool) -> None:
        block = spec.block(name)
        top = _MIDDLE - _HEIGHT / 2
        self.parts.append(
            f'<g class="{"chosen" if chosen else ""}"><rect class="frame" x="{self.x - 3}" y="{top - 3}" '
            f'width="{_WIDTH + 6}" height="{_HEIGHT + 6}" rx="6"/>'
        )
        for kind in BRANCHES:
            height = _HEIGHT * block.width(kind) / block.out_channels
            self.parts.append(self._lane(name, kind, lanes[kind], block.width(kind), top, height))
            top += height
        centre = self.centres[name] = self.x + _WIDTH / 2
        self.parts.append(
            f'<text class="nm" x="{centre}" y="219">{name}</text>'
            f'<text x="{centre}" y="234">{side}×{side}×{block.out_channels}</text></g>'
        )
        self.x += _WIDTH

    def _lane(self, name: str, kind: BranchKind, lane: Lane, channels: int, top: float, height: float) -> str:
        shade = 0.2 + 0.8 * (lane.mean - self.palest) / self.span
        words = (
            f"{name} {theme.BRANCH_NAMES[kind]}: {channels} channels, mean activation {lane.mean:.2f}, "
            f"{lane.active:.0%} of positions active"
        )
        return (
            f'<g role="button" tabindex="0" data-go="{name}/{kind}" aria-label="{words}"><title>{words}</title>'
            f'<rect x="{self.x}" y="{top:.1f}" width="{_WIDTH}" height="{max(height - 1.5, 1):.1f}" rx="2" '
            f'fill="var(--b{kind})" fill-opacity="{shade:.2f}"/></g>'
        )

    def pill(self, head: HeadView) -> None:
        """A head's answer, where it is computed."""
        words = f"{short(head.top[0].label)} {percent(head.top[0].probability)}" if head.trained else "untrained"
        shown = html.escape(words if len(words) < 17 else f"{short(head.top[0].label)[:11]}… {words.split()[-1]}")
        width = 14 + 6.4 * (len(head.name) + 1 + len(html.unescape(shown)))
        if head.name == "main":
            x, y, centre, stem = self.x + 2, _MIDDLE - 12, self.x + 2 + width / 2, ""
            self.x += width + 6
        else:
            centre = self.centres[head.after]
            x, y = centre - width / 2, 6.0
            stem = f'<path d="M{centre} 46V30" stroke="var(--{head.name})" stroke-width="2"/>'
        dim = "" if head.trained else ' opacity=".45"'
        label = html.escape(f"head {head.name}: {words}")
        self.parts.append(
            f'{stem}<g role="button" tabindex="0" data-go="head/{head.name}" aria-label="{label}"{dim}>'
            f'<title>{label}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="24" rx="12" '
            f'fill="var(--{head.name})"/><text class="pill {head.name}" x="{centre:.1f}" y="{y + 16}">'
            f"{head.name} {shown}</text></g>"
        )


def current_svg(chosen: str | None = None) -> str:
    """The drawing for the current photo and network, made once."""

    def draw() -> str:
        trace, spec = state.trace(), state.spec()
        sides = {name: block.output.shape[-1] for name, block in trace.blocks.items()}
        return map_svg(spec, lanes_of(trace), sides, head_views(), chosen)

    return state.remember(("map", chosen), draw)


def show(key: str = "map", chosen: str | None = None) -> None:
    """The map; a click (or Enter) opens the Module page on that module and branch, a head opens the Heads page."""

    def went() -> None:
        answer: Any = st.session_state.get(key)
        kind, _, part = str((answer or {}).get("go") or "").partition("/")
        if kind == "head":
            state.go_to("heads")
        elif kind in state.spec().module_names and part in BRANCHES:
            state.set_selected_module(kind, part)  # type: ignore[arg-type]
            state.go_to("module")

    _MAP(key=key, data={"svg": current_svg(chosen)}, on_go_change=went)


def legend() -> None:
    """The four branch colours, and what pale and dark mean here."""
    marks = "".join(
        f'<span><i style="background:var(--b{kind})"></i>{name}</span>' for kind, name in theme.BRANCH_NAMES.items()
    )
    palest, darkest = state.remember("map range", lambda: mean_range(lanes_of(state.trace())))
    scale = f"mean activation from {palest:.2f} (pale) to {darkest:.2f} (strong)"
    st.html(f'<div class="scope-leg">{marks}<span style="margin-left:auto">{scale}</span></div>')
