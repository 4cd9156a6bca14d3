"""The network in one line on top of a page: where one is, and one click to everywhere else."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup

from app.figures.map_canvas import canvas
from app.state import navigation, network, options, selection, session
from app.state.panel import panels
from app.templates import render
from inception_model.architecture.address import head_modules
from inception_model.architecture.spec import BRANCHES, BranchKind, HeadName, NetworkSpec
from inception_model.attribution import METHODS, allowed_layers

_TOP, _LANE, _WIDE, _GAP = 20.0, 9.0, 56.0, 20.0
_HIGH = _TOP + len(BRANCHES) * _LANE + 20


@dataclass(frozen=True)
class Place:
    """What a page looks at: drawn with an outline. None: nothing of the kind."""

    module: str | None = None
    branch: BranchKind | None = None
    head: HeadName | None = None


def line_svg(spec: NetworkSpec, heads: dict[HeadName, str], trained: tuple[HeadName, ...], place: Place) -> Markup:
    """Nine modules with four lanes each, and the heads (name -> the module after which it hangs) where they read.

    What can be chosen carries `data-go`: `4d/5x5` for a branch, `head/aux1` for a head.
    """
    modules, centres, x = [], dict[str, float](), 2.0
    for name in spec.module_names:
        pooled = spec.pool_after(name) is not None
        modules.append({"name": name, "x": x, "chosen": name == place.module, "pooled": pooled})
        centres[name] = x + _WIDE / 2
        x += _WIDE + _GAP
    marks = [
        {
            "name": head,
            "after": after,
            "trained": head in trained,
            "chosen": head == place.head,
            "centre": x + 24 if head == "main" else centres[after],
            "y": _TOP + 7 if head == "main" else 0,
        }
        for head, after in heads.items()
    ]
    return render(
        "network_line.html", modules=modules, heads=marks, branch=place.branch,
        top=_TOP, lane=_LANE, wide=_WIDE, width=x + 50, height=_HIGH,
    )  # fmt: skip


def _why() -> tuple[HeadName, tuple[str, ...]]:
    """The head of the page Why, and the modules that its method may look at: none where it takes no layer."""
    classifier = network.service().classifier
    trained = classifier.trained_heads
    head = session.option(options.WHY_HEAD) or (trained[-1] if trained else "main")
    takes_one = head in trained and "layer" in METHODS[session.option(options.WHY_METHOD)].needs
    return head, allowed_layers(classifier, head) if takes_one else ()


def place_of(page: str) -> Place:
    """What the page of that name looks at."""
    if page == "module":
        return Place(selection.module(), selection.branch())
    if page == "cost":
        return Place(selection.cost_module())
    if page != "why":
        return Place()
    head, modules = _why()
    if not modules:
        return Place(head=head)
    module, branch = session.option(options.WHY_MODULE), session.option(options.WHY_BRANCH)
    return Place(module if module in modules else modules[-1], branch if branch in BRANCHES else None, head)


def go(page: str, where: str) -> None:
    """From a callback: the page takes what was chosen if it shows such a thing, else the page that does is opened."""
    first, _, rest = where.partition("/")
    if first == "head" and rest in network.trained_heads():
        _choose_head(page, rest)
    elif first in network.spec().module_names and rest in BRANCHES:
        _choose_branch(page, first, rest)


def _choose_head(page: str, head: HeadName) -> None:
    session.set_option(options.WHY_HEAD, head)
    if page == "heads":  # the head's own answer is the class that is followed
        session.set_option(options.HEADS_CLASS, int(panels()[0].trace().logits(head)[0].argmax()))
    elif page != "why":
        navigation.go_to("heads")


def _choose_branch(page: str, module: str, kind: BranchKind) -> None:
    if page == "why" and module in _why()[1]:
        session.set_option(options.WHY_MODULE, module)
        session.set_option(options.WHY_BRANCH, kind)
        return
    selection.set_module(module, kind)
    if page == "cost":
        selection.set_cost_module(module)
    elif page != "module":
        navigation.go_to("module")


def show(page: str) -> None:
    """The line, with what the page looks at outlined."""
    svg = line_svg(network.spec(), head_modules(network.spec()), network.trained_heads(), place_of(page))
    with st.container(key="network-line"):
        canvas(svg, "network-line-map", lambda where: go(page, where), height=78)
    if navigation.leaves():
        st.rerun()  # a fragment can't change the page, a whole run does
