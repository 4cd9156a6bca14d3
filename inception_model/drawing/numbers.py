"""How numbers and names are written for people: one way for app, command line and report."""

from __future__ import annotations


def number(value: float) -> str:
    """A number in three significant digits, without an exponent where that stays short."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.2e}"


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


def signed_number(value: float) -> str:
    """A number in three significant digits with its sign and a true minus; 0 has none."""
    return f"{'−' if value < 0 else '+' if value else ''}{number(abs(value))}"


def amount(value: float) -> str:
    """A number of MACs or parameters in three to four digits: 118.5 M, 1.583 G, 9.4 K."""
    for limit, letter, digits in ((1e9, "G", 3), (1e8, "M", 0), (1e6, "M", 1), (1e5, "K", 0), (1e3, "K", 1)):
        if abs(value) >= limit:
            return f"{value / 10 ** {'G': 9, 'M': 6, 'K': 3}[letter]:.{digits}f} {letter}"
    return f"{value:.0f}"
