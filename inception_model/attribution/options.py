"""Options of attribution methods: typed, with sane ranges, read from what a user wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..architecture.address import Part, modules_seen
from ..architecture.spec import HeadName, NetworkSpec

Value = int | float | str


class AttributionError(ValueError):
    """The explanation can't be made as asked; the message says what was found and what is allowed."""


def read_pairs(texts: Sequence[str]) -> dict[str, str]:
    """["steps=20"] -> {"steps": "20"}; raises AttributionError for a text without `=` and for a name given twice."""
    pairs = dict(text.partition("=")[::2] for text in texts if "=" in text)
    if len(pairs) < len(texts):
        wrong = next((text for text in texts if "=" not in text), texts[-1])
        raise AttributionError(f"option takes NAME=VALUE, each name once; got {wrong!r}")
    return pairs


@dataclass(frozen=True)
class Option:
    """A number from `low` to `high`, whole if the default is, or one of `choices`. `help`: what it does, in words.

    `only`: values of the method's option `rule` with which it counts; empty: with all.
    """

    name: str
    default: Value
    help: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def counts(self, chosen: Mapping[str, Any]) -> bool:
        """Whether it changes anything beside these values of the other options."""
        return not self.only or chosen.get("rule") in self.only

    @property
    def allowed(self) -> str:
        """The allowed values, for messages and help texts."""
        if self.choices:
            return ", ".join(self.choices)
        return f"{'whole numbers' if isinstance(self.default, int) else 'numbers'} from {self.low:g} to {self.high:g}"

    def read(self, value: Any) -> Value:
        """A number or a text -> the option's own type; raises AttributionError that says what is allowed."""
        if self.choices:
            if str(value) in self.choices:
                return str(value)
        elif not isinstance(value, bool):
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = float("nan")
            if self.low <= number <= self.high and (not isinstance(self.default, int) or number == int(number)):
                return type(self.default)(number)
        raise AttributionError(f"option {self.name} can't be {value!r}; allowed: {self.allowed}")


@dataclass(frozen=True)
class PlaceOption(Option):
    """A place in the network, or everything. Whether there is such a place, the network and the head decide."""

    @property
    def allowed(self) -> str:
        return f"{self.default}, or MODULE[:BRANCH[:CHANNEL]] such as 4d, 4d:5x5 or 4d:5x5:17"

    def read(self, value: Any) -> Value:
        """The place as text; raises AttributionError for what can't be one."""
        text = str(value).strip() or str(self.default)
        if text == self.default or re.fullmatch(r"\w+(:\w+(:[0-9]+)?)?", text):
            return text
        raise AttributionError(f"option {self.name} can't be {value!r}; allowed: {self.allowed}")

    def part(self, value: Any, spec: NetworkSpec, head: HeadName) -> Part | None:
        """The part of that network, None for everything; raises AttributionError for one that is not there or that the
        head does not see."""
        text = str(self.read(value))
        if text == self.default:
            return None
        try:
            part = Part.parse(text, spec)
        except ValueError as error:
            raise AttributionError(f"option {self.name}: {error}") from None
        seen = modules_seen(spec, head)
        if part.module not in seen:
            raise AttributionError(f"the head {head} does not depend on {part.module}; allowed: {', '.join(seen)}")
        return part


def check_places(options: tuple[Option, ...], chosen: Mapping[str, Any], spec: NetworkSpec, head: HeadName) -> None:
    """Raises AttributionError where a chosen place is not there or the head does not see it."""
    for option in options:
        if isinstance(option, PlaceOption):
            option.part(chosen.get(option.name, option.default), spec, head)


def read_options(options: tuple[Option, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with what was given; an unknown name raises AttributionError that lists the known ones."""
    known = {option.name: option for option in options}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise AttributionError(
            f"unknown option {unknown[0]!r}; this method has: {', '.join(known) or 'no options at all'}"
        )
    return {name: option.read(given.get(name, option.default)) for name, option in known.items()}
