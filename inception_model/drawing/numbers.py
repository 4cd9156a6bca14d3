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


def with_article(name: str) -> str:
    """A class's name within a sentence: `a tabby`, `an Egyptian cat`; plurals stay as they are."""
    if name.endswith("s") and not name.endswith(("ss", "us", "is")):
        return name
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


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


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(value: int) -> str:
    """A place in a row: a word up to the tenth, then 11th, 12th, 21st."""
    if 1 <= value <= len(_ORDINALS):
        return _ORDINALS[value - 1]
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def rough_seconds(value: float) -> str:
    """A time that is only guessed: whole seconds, from two minutes on whole minutes; at least 1 s."""
    return f"{value / 60:.0f} min" if value >= 120 else f"{max(1, round(value))} s"
