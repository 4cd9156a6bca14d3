"""The one visual language of app and report: colours, names, and how numbers are written."""

from __future__ import annotations

BRANCH_COLOURS = {"1x1": "#0072B2", "3x3": "#009E73", "5x5": "#D55E00", "pool": "#CC79A7"}
"""Okabe and Ito's palette, safe for colour-blind eyes."""

BRANCH_NAMES = {"1x1": "1×1", "3x3": "3×3", "5x5": "5×5", "pool": "pool"}
"""The branches as printed in the paper."""

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


def short(label: str) -> str:
    """The first of a class's synonyms."""
    return label.split(",")[0]


def percent(probability: float) -> str:
    """A probability for people: whole percents, one digit below one percent."""
    return f"{probability:.0%}" if probability >= 0.01 or probability < 0.0005 else f"{probability:.1%}"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign and a true minus; what rounds to zero has no sign."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"


def amount(value: float) -> str:
    """A number of MACs or parameters in three to four digits: 118.5 M, 1.583 G, 9.4 K."""
    for limit, letter, digits in ((1e9, "G", 3), (1e8, "M", 0), (1e6, "M", 1), (1e5, "K", 0), (1e3, "K", 1)):
        if abs(value) >= limit:
            return f"{value / 10 ** {'G': 9, 'M': 6, 'K': 3}[letter]:.{digits}f} {letter}"
    return f"{value:.0f}"
