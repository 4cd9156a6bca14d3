"""Options of a request: query parameters with the names of the command line's options, each of them known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from app.api.refusals import RefusalError

LONGEST = 200
"""Characters of a value."""
MOST = 20
"""Values of one that may be repeated."""


@dataclass(frozen=True)
class Parameter:
    """An option by its name, what it does in words, and what it is where nobody says; `several`: may be repeated."""

    name: str
    words: str
    default: str = ""
    several: bool = False


@dataclass(frozen=True)
class Options:
    """What a request says, within what it may say."""

    values: dict[str, list[str]]
    known: dict[str, Parameter]

    def one(self, name: str) -> str:
        """The value of an option, else its default."""
        return next(iter(self.values.get(name, ())), self.known[name].default)

    def all(self, name: str) -> list[str]:
        """All values of an option that may be repeated."""
        return self.values.get(name, [])

    def number(self, name: str) -> int:
        """A whole number, 1 at least; raises RefusalError for anything else."""
        text = self.one(name)
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= 1):
            raise RefusalError(400, f"{name} must be a whole number, 1 at least; got {text!r}.")
        return int(text)

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of these; raises RefusalError for anything else."""
        text = self.one(name)
        if text not in allowed:
            raise RefusalError(400, f"{name} can't be {text!r}; allowed: {', '.join(allowed)}.")
        return text

    def yes(self, name: str) -> bool:
        """Whether it is 1 rather than 0; raises RefusalError for anything else."""
        return self.choice(name, ("0", "1")) == "1"


def read(query: QueryParams, known: Sequence[Parameter]) -> Options:
    """The options of an address; raises RefusalError for unknown ones, long values and repetitions."""
    table = {parameter.name: parameter for parameter in known}
    values: dict[str, list[str]] = {}
    for name, value in query.multi_items():
        if name not in table:
            raise RefusalError(400, f"unknown option {name[:LONGEST]!r}; allowed: {', '.join(table)}.")
        if len(value) > LONGEST:
            raise RefusalError(400, f"{name} has {len(value)} characters; at most {LONGEST} are read.")
        values.setdefault(name, []).append(value)
        if len(values[name]) > (MOST if table[name].several else 1):
            most = f"{MOST} times at most" if table[name].several else "once"
            raise RefusalError(400, f"{name} may be given {most}.")
    return Options(values, table)
