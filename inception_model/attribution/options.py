"""Options of attribution methods: typed, with sane ranges, read from what a user wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = int | float | str


class AttributionError(ValueError):
    """The explanation can't be made as asked; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class Option:
    """A number from `low` to `high`, whole if the default is, or one of `choices`. `help`: what it does, in words."""

    name: str
    default: Value
    help: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()

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


def read_options(options: tuple[Option, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with what was given; an unknown name raises AttributionError that lists the known ones."""
    known = {option.name: option for option in options}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise AttributionError(
            f"unknown option {unknown[0]!r}; this method has: {', '.join(known) or 'no options at all'}"
        )
    return {name: option.read(given.get(name, option.default)) for name, option in known.items()}
