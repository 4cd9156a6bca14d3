"""The one visual language of app and report: colours and names."""

from __future__ import annotations

BRANCH_COLOURS = {"1x1": "#0072B2", "3x3": "#009E73", "5x5": "#D55E00", "pool": "#CC79A7"}
"""Okabe and Ito's palette, safe for colour-blind eyes."""

BRANCH_NAMES = {"1x1": "1×1", "3x3": "3×3", "5x5": "5×5", "pool": "pool"}
"""The branches as printed in the paper."""


def node_name(node: str) -> str:
    """A node of a module in the paper's words: `3×3 reduce`, `5×5`, `pool`, `input`."""
    kind, _, rest = node.partition("_")
    return f"{BRANCH_NAMES.get(kind, kind)}{' reduce' if rest == 'reduce' else ''}"


_GREYS = {
    "ink": ("#1b1f24", "#e8eaed"),
    "mut": ("#5d6670", "#9aa4ae"),
    "line": ("#dfe3e8", "#2f353c"),
    "bg": ("#ffffff", "#111418"),
    "card": ("#f7f8fa", "#191d22"),
}

COLOURS: dict[str, tuple[str, str]] = {
    **_GREYS,
    **{f"b{kind}": (colour, colour) for kind, colour in BRANCH_COLOURS.items()},
    "aux1": ("#E69F00", "#E69F00"),
    "aux2": ("#56B4E9", "#56B4E9"),
    "main": _GREYS["ink"],
}
"""Every colour by the name of its CSS variable, on light and on dark: one per branch and per head, else greys."""
