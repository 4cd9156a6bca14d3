"""The sheet of all views as the paper lays them out, drawn by the browser from one picture of the photo."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.state import network
from app.state.panel import Panel
from app.static import script, style
from app.templates import render
from app.views.vote.words import said
from app.widgets import filmstrip
from inception_model.architecture.spec import HeadName
from inception_model.drawing.numbers import percent, short
from inception_model.images.crops import SCALES, SQUARES, all_crops, box_on_photo, scaled, square_names
from inception_model.inference.voting import Votes

SIDE = 1000
"""Longer side of the picture that every view is a part of, in pixels."""
NAMED = 3
"""Answers that are told of each view."""

_SHEET = st.components.v2.component(
    "scope_votes", html=render("vote_sheet.html"), css=style("vote_sheet"), js=script("vote_sheet")
)


def sheet_data(panel: Panel, votes: Votes, head: HeadName, views: int) -> dict[str, Any]:
    """What the browser draws: the photo, and every view's part of it with its answers, in the paper's order."""
    size, side = panel.photo.size, network.checkpoint().preprocessing.size
    width, height = size
    best = int(votes.averaged(head, views).argmax())
    firsts = said(votes, head)
    values, indices = votes.of_crops(head).topk(min(NAMED, votes.probabilities[head].shape[-1]))
    number = {crop: place for place, crop in enumerate(votes.crops)}
    cells = []
    for crop in all_crops():
        place = number[crop]
        box = box_on_photo(crop, size, side)
        top = [
            {"label": short(network.label(index)), "said": percent(value), "share": round(100 * value, 1)}
            for index, value in zip(indices[place].tolist(), values[place].tolist(), strict=True)
        ]
        cells.append({
            "number": place + 1,
            "scale": scaled(crop.scale, side),
            "square": crop.square,
            "mirrored": crop.mirrored,
            "words": crop.words(size, side),
            "box": [box.left / width, box.top / height, box.width / width, box.height / height],
            "agrees": firsts[place] == best,
            "top": top,
        })  # fmt: skip
    return {
        "photo": filmstrip.data_uri(panel.photo, SIDE),
        "name": panel.photo.name,
        "scales": [scaled(scale, side) for scale in SCALES],
        "squares": [{"number": place, "name": square_names(size)[place]} for place in SQUARES],
        "cells": cells,
        "views": views,
        "average": short(network.label(best)),
        "side": side,
    }


def show(panel: Panel, votes: Votes, head: HeadName, views: int) -> None:
    """The sheet; which view is looked at is the browser's affair, for nothing has to be computed for it."""
    _SHEET(key="vote-sheet", data=sheet_data(panel, votes, head, views))
