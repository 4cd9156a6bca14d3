"""Which branch of a module holds which family of channels, as a table beside what the paper found in InceptionV1."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import theme
from app.jobs.channels import source_of
from app.state import network
from app.state.selection import Unit
from app.templates import render
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.circuits.families import FAMILIES, Families, FamilyRow, ModuleSummary
from inception_model.circuits.verdict import LEVEL, beside_the_paper, concentrated, corrected, count_tests
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.examples.families import EXAMPLE_FAMILIES

MEANINGS = {**FAMILIES, **EXAMPLE_FAMILIES}


def show(unit: Unit, summary: ModuleSummary) -> None:
    """The table, what the paper claims about this module, and the picked channel's own families."""
    theme.heading(
        f"Which branch of {unit.module} holds which family?",
        "Gratings, arcs, lines and dots decide what a channel belongs to; the hypergeometric p is the chance that so "
        "many of a family or more fall to a branch at random. (Voss et al. 2021, Branch Specialization.)",
    )
    st.html(render("module_families.html", kinds=BRANCHES, rows=rows(summary.rows), level=LEVEL, said=said(summary)))
    own = own_words(unit, summary.families)
    if own:
        st.html(render("say.html", text=own))


def rows(found: tuple[FamilyRow, ...]) -> list[dict[str, Any]]:
    """The table as text."""
    tests = count_tests(found)
    told = []
    for row in found:
        cells = []
        for kind in BRANCHES:
            p = corrected(row.p[kind], tests)
            cells.append(
                {
                    "text": f"{row.counts[kind]} ({row.expected(kind):.1f})" if row.total else "–",
                    "p": f"p {row.p[kind]:.2g}" if row.total else "",
                    "title": f"{row.counts[kind]} of the branch's {row.widths[kind]} channels; corrected p {p:.2g}",
                    "more": bool(row.total) and p < LEVEL,
                }
            )
        told.append({"name": row.family, "meaning": MEANINGS[row.family], "total": row.total, "cells": cells})
    return told


def said(summary: ModuleSummary) -> list[str]:
    """Whether families are concentrated here, and the paper's claims about this module."""
    tests = count_tests(summary.rows)
    found = concentrated(summary.rows)
    places = ", ".join(f"{row.family} in {BRANCH_NAMES[kind]} (p {number(p)})" for row, kind, p in found)
    words = f"More than chance, after correction for {tests} tests: {places}." if places else (
        f"No family is concentrated in a branch more than chance would have it ({tests} tests)."
    )  # fmt: skip
    return [words, *beside_the_paper(summary.rows)]


def own_words(unit: Unit, found: Families) -> str:
    """What the picked channel belongs to, where it is one of this module's output."""
    source = source_of(unit)
    kinds = {name: kind for kind, name in BRANCH_UNIT.items()} | {kind: kind for kind in BRANCHES}
    if source is None or source[0] != found.module or source[1] not in kinds:
        return ""
    kind = kinds[source[1]]
    families = found.of(network.spec().block(found.module).channels(kind).start + source[2])
    name = f"Channel {source[2]} of {BRANCH_NAMES[kind]}"
    if families == ("silent",):
        return f"{name} is silent on all of these pictures."
    if families == ("not selective",):
        return f"{name} is not selective: it gives plain grey more than any of these pictures."
    return f"{name} belongs to: {', '.join(families)}." if families else f"{name} belongs to none of these families."
