"""A reader of OpenMetrics 1.0 text by the grammar of its specification: it refuses what a scraper would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?[iI]nf(?:inity)?|[nN]a[nN]"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)?\}})? ({_NUMBER})")
_HEAD = re.compile(rf"# (TYPE|UNIT|HELP) ({_NAME}) (.*)")
SUFFIXES = {"counter": ("_total", "_created"), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum", "_created")}


class FormatError(ValueError):
    """The text is no OpenMetrics."""


@dataclass(frozen=True)
class Sample:
    """A value with its labels."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass
class Family:
    """All samples of one name."""

    kind: str = ""
    unit: str = ""
    help: str = ""
    samples: list[Sample] = field(default_factory=list)


def parse(text: str) -> dict[str, Family]:
    """Families by name; raises FormatError for whatever the format does not allow."""
    if not text.endswith("# EOF\n"):
        raise FormatError("the end is missing")
    found: dict[str, Family] = {}
    current = ""
    for line in text.splitlines()[:-1]:
        if head := _HEAD.fullmatch(line):
            kind, name, rest = head.groups()
            if name != current and name in found:
                raise FormatError(f"{name} is interrupted by others")
            current = name
            family = found.setdefault(name, Family())
            if family.samples or getattr(family, {"TYPE": "kind"}.get(kind, kind.lower())):
                raise FormatError(f"out of place: {line}")
            if kind == "TYPE" and rest not in SUFFIXES:
                raise FormatError(f"unknown type: {line}")
            if kind == "UNIT" and not name.endswith(f"_{rest}"):
                raise FormatError(f"the name does not end with its unit: {line}")
            setattr(family, {"TYPE": "kind"}.get(kind, kind.lower()), _plain(rest))
            continue
        sample = _SAMPLE.fullmatch(line)
        family = found.get(current, Family())
        if sample is None or sample[1] not in {current + end for end in SUFFIXES.get(family.kind, ())}:
            raise FormatError(f"no sample of {current or 'anything'}: {line}")
        labels = {name: _plain(value) for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or "")}
        if any(known.name == sample[1] and known.labels == labels for known in family.samples):
            raise FormatError(f"twice: {line}")
        family.samples.append(Sample(sample[1], labels, float(sample[3])))
    for name, family in found.items():
        if family.kind == "histogram":
            _check_histogram(name, family)
    return found


def _check_histogram(name: str, family: Family) -> None:
    buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name == f"{name}_bucket"]
    counts = [s.value for s in family.samples if s.name == f"{name}_count"]
    if not buckets or buckets != sorted(buckets) or [c for _, c in buckets] != sorted(c for _, c in buckets):
        raise FormatError(f"{name}: buckets must grow")
    if buckets[-1][0] != float("inf") or counts != [buckets[-1][1]]:
        raise FormatError(f"{name}: the last bucket holds all")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)
