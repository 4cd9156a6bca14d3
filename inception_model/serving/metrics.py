"""What a server counts and measures, written as OpenMetrics 1.0 text, which Prometheus and its kin read.

    REQUESTS = Counter("scope_requests", "Requests answered.", ("route", "status"))
    REQUESTS.add("/api/predict", "200")
    exposition([REQUESTS])

Safe for many threads. Names and labels are the program's own; values of labels may be any text.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets that durations fall into."""

Values = tuple[str, ...]
"""One value for each label of a family."""


class Family(Protocol):
    """Samples of one name."""

    def lines(self) -> Iterator[str]:
        """What it says of itself, and its samples."""


class Counter:
    """A number that only grows, for each combination of values of its labels."""

    def __init__(self, name: str, words: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.words, self.labels = name, words, labels
        self._counts: dict[Values, int] = {} if labels else {(): 0}
        self._lock = threading.Lock()

    def add(self, *values: str) -> None:
        """One more."""
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}; got {values}")
        with self._lock:
            self._counts[values] = self._counts.get(values, 0) + 1

    def lines(self) -> Iterator[str]:
        """As `Family` says."""
        yield from _head(self.name, "counter", self.words)
        with self._lock:
            counts = sorted(self._counts.items())
        for values, count in counts:
            yield f"{self.name}_total{_labels(dict(zip(self.labels, values, strict=True)))} {count}"


class Histogram:
    """How many observed values, durations as a rule, lie below each of the bounds."""

    def __init__(self, name: str, words: str, bounds: tuple[float, ...] = SECONDS, unit: str = "seconds") -> None:
        self.name, self.words, self.bounds, self.unit = name, words, bounds, unit
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """One more, which took so long, or was so large."""
        with self._lock:
            self._counts[bisect_left(self.bounds, value)] += 1
            self._sum += value

    def lines(self) -> Iterator[str]:
        """As `Family` says; each bucket counts all that are below its bound as well."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        yield from _head(self.name, "histogram", self.words, self.unit)
        below = 0
        for bound, count in zip((*self.bounds, math.inf), counts, strict=True):
            below += count
            yield f"{self.name}_bucket{_labels({'le': _number(bound)})} {below}"
        yield f"{self.name}_count {below}"
        yield f"{self.name}_sum {_number(total)}"


@dataclass(frozen=True)
class Gauge:
    """A number of this moment, asked for by `read`; None: it is not known here, and no sample is written."""

    name: str
    words: str
    read: Callable[[], float | None]
    unit: str = ""

    def lines(self) -> Iterator[str]:
        """As `Family` says."""
        yield from _head(self.name, "gauge", self.words, self.unit)
        if (value := self.read()) is not None:
            yield f"{self.name} {_number(value)}"


def exposition(families: Iterable[Family]) -> str:
    """All of them as one text, with the end that OpenMetrics asks for."""
    return "".join(f"{line}\n" for family in families for line in family.lines()) + "# EOF\n"


def _head(name: str, kind: str, words: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:  # the name has to end with it
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {_escaped(words)}"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)
