"""JSON out of an untrusted file: bounded before it is parsed, and every value checked for its kind.

Messages say of what kind a value is and which numbers are allowed; they never repeat it (see `messages`).
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from .checkpoint import CheckpointError
from .limits import MAX_MARKS, refuse_above

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a whole number",
          float: "a number", type(None): "nothing"}  # fmt: skip
# Orders the letters of whole lines anew, which makes a text read as another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class _RefusedError(Exception):
    """Why a text is refused, without saying which one."""


def parse(text: str | bytes, longest: int, what: str) -> Any:
    """The value of a JSON text of at most `longest` characters; `what` is what the text is, for messages."""
    refuse_above(len(text), longest, "characters", "", where=what)
    try:
        plain = text.decode("utf-8") if isinstance(text, bytes) else text
        refuse_above(sum(map(plain.count, "[{,")), MAX_MARKS, "values", "", where=what)
        return json.loads(plain, object_pairs_hook=_object, parse_constant=_no_number)
    except _RefusedError as error:
        raise CheckpointError(f"{what} {error}") from None
    except CheckpointError:
        raise
    except RecursionError:
        raise CheckpointError(f"{what} is nested too deeply") from None
    except ValueError as error:  # also a UnicodeDecodeError, and a number of too many digits
        place = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise CheckpointError(f"{what} is no JSON{place}; it may be cut off") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RefusedError("names something twice")
    return found


def _no_number(name: str) -> Any:
    raise _RefusedError("has a value that is no finite number")


def kind(value: object) -> str:
    """What a value is, in words."""
    return _KINDS.get(type(value), "something else")


def fields(value: Any, what: str, names: Iterable[str]) -> dict[str, Any]:
    """An object that has exactly these fields."""
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is {kind(value)}, where an object is expected")
    wanted = set(names)
    if missing := sorted(wanted - set(value)):
        raise CheckpointError(f"{what} lacks {', '.join(missing)}")
    if len(value) > len(wanted):
        raise CheckpointError(f"{what} has {len(value) - len(wanted)} fields that nobody knows here")
    return value


def items(value: Any, what: str, most: int) -> list[Any]:
    """A list of at most `most` values."""
    if not isinstance(value, list):
        raise CheckpointError(f"{what} is {kind(value)}, where a list is expected")
    refuse_above(len(value), most, "entries", "", where=what)
    return value


def entries(value: Any, what: str, most: int) -> dict[str, Any]:
    """An object of at most `most` fields, whatever they are called."""
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} is {kind(value)}, where an object is expected")
    refuse_above(len(value), most, "entries", "", where=what)
    return value


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if type(value) is not int:
        raise CheckpointError(f"{what} is {kind(value)}, where a whole number from {low:,} to {high:,} is expected")
    if not low <= value <= high:
        found = f"{value:,}" if abs(value) < 10**15 else f"a number of more than {10**15:,}"
        raise CheckpointError(f"{what} is {found}, allowed is {low:,} to {high:,}")
    return value


def number(value: Any, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`."""
    expected = "a finite number" if math.isinf(low) else f"a number from {low:g} to {high:g}"
    if type(value) not in (int, float):
        raise CheckpointError(f"{what} is {kind(value)}, where {expected} is expected")
    # A whole number may be too long to become a float.
    if abs(value) > 1e300 or not low <= value <= high or not math.isfinite(value):
        found = f"{value:g}" if abs(value) <= 1e300 else "too large"
        raise CheckpointError(f"{what} is {found}, where {expected} is expected")
    return float(value)


def words(value: Any, what: str, longest: int) -> str:
    """A text of at most `longest` characters, without those that act on a screen or turn its letters around.

    They are replaced, not refused: a label may come from a list that somebody else has written.
    """
    if not isinstance(value, str):
        raise CheckpointError(f"{what} is {kind(value)}, where a text is expected")
    refuse_above(len(value), longest, "characters", "", where=what)
    if value.isprintable():
        return value
    return "".join("\ufffd" if _acts(sign) else sign for sign in value)


def choice(value: Any, what: str, allowed: Iterable[str]) -> str:
    """One of these words."""
    known = list(allowed)
    if not isinstance(value, str) or value not in known:
        found = kind(value) if not isinstance(value, str) else "another word"
        raise CheckpointError(f"{what} is {found}; allowed: {', '.join(known)}")
    return value


def _acts(sign: str) -> bool:
    """Control characters but line ends and tabs, halves of characters, and what turns a line's letters around."""
    return sign in _TURNING or (unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t\r")
