"""What is concentrated where, in words: a network's families and factors beside what the paper found in InceptionV1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..architecture.spec import BRANCHES, BranchKind
from ..drawing.palette import BRANCH_NAMES
from .factors import Factors
from .families import FamilyRow, hypergeometric_tail

LEVEL = 0.05
"""A p below this, multiplied by the number of tests (Bonferroni), is called more than chance."""


@dataclass(frozen=True)
class Claim:
    """What Voss et al. found in InceptionV1: so many channels of a family, so many of them in one branch."""

    module: str
    family: str
    branch: BranchKind
    found: int
    marked: int
    width: int
    channels: int

    @property
    def p(self) -> float:
        """Their hypergeometric p."""
        return hypergeometric_tail(self.found, self.marked, self.width, self.channels)


PAPER = (Claim("3a", "black-white", "5x5", 9, 9, 32, 256), Claim("3b", "curves", "5x5", 30, 30, 96, 480))
"""Voss et al. 2021, Branch Specialization (Distill): black-white against colour in 3a, curves in 3b."""


def corrected(p: float, tests: int) -> float:
    """Bonferroni: p times the number of tests, at most 1."""
    return min(1.0, p * tests)


def count_tests(rows: Sequence[FamilyRow]) -> int:
    """How many p values were looked at: those of families that have members."""
    return sum(len(BRANCHES) for row in rows if row.total)


def concentrated(rows: Sequence[FamilyRow]) -> list[tuple[FamilyRow, BranchKind, float]]:
    """Family, branch and corrected p where there is more than chance, least p first."""
    tests = count_tests(rows)
    found = [(row, kind, corrected(row.p[kind], tests)) for row in rows for kind in BRANCHES if row.total]
    return sorted((each for each in found if each[2] < LEVEL), key=lambda each: each[2])


def beside_the_paper(rows: Sequence[FamilyRow]) -> list[str]:
    """One sentence per claim of the paper: what was found there, and what is found here."""
    tests, said = count_tests(rows), []
    for claim in PAPER:
        row = next((row for row in rows if (row.module, row.family) == (claim.module, claim.family)), None)
        if row is None:
            continue
        branch = BRANCH_NAMES[claim.branch]
        theirs = (
            f"{claim.family} in {claim.module}: in the paper's InceptionV1 all {claim.marked} lie in {branch} "
            f"({claim.width} of {claim.channels} channels)"
        )
        here, p = row.counts[claim.branch], corrected(row.p[claim.branch], tests)
        if not row.total:
            said.append(f"{theirs}; here no channel belongs to the family, so nothing can be said.")
            continue
        answer = "the same concentration is found" if p < LEVEL else "that is not found"
        said.append(
            f"{theirs}; here {here} of {row.total} do, {row.expected(claim.branch):.1f} expected (corrected p "
            f"{p:.2g}): {answer}."
        )
    return said


def factors_in_words(found: Factors) -> str:
    """What the factors of |W| go with."""
    names = []
    for place, each in enumerate(found.factors, 1):
        by = each.organised_by(found.limit) or "neither"
        names.append(
            f"factor {place} ({each.share:.0%}) goes with {by} (rank correlation {each.colour:+.2f} with colour, "
            f"{each.frequency:+.2f} with frequency)"
        )
    return (
        f"Singular vectors of |W| between the first two convolutions: {'; '.join(names)}; chance stays below "
        f"{found.limit:.2f}. In the paper's InceptionV1 the first factor is colour, the second frequency."
    )


def summary(rows: Sequence[FamilyRow], factors: Factors) -> list[str]:
    """Plain sentences: where families are concentrated, the paper's claims, and the factors."""
    found, tests = concentrated(rows), count_tests(rows)
    if found:
        places = ", ".join([f"{row.family} in {row.module} {BRANCH_NAMES[kind]}" for row, kind, _ in found[:6]])
        more = f" and {len(found) - 6} more" if len(found) > 6 else ""
        first = f"More than chance, after correction for {tests} tests, in {len(found)} places: {places}{more}."
    else:
        first = f"No family is concentrated in a branch more than chance would have it, after {tests} tests."
    return [first, *beside_the_paper(rows), factors_in_words(factors)]


def row_dict(row: FamilyRow, tests: int) -> dict[str, Any]:
    """Plain data of one family in one module."""
    return {
        "module": row.module,
        "family": row.family,
        "total": row.total,
        "branches": {
            kind: {
                "channels": row.widths[kind],
                "found": row.counts[kind],
                "expected": row.expected(kind),
                "p": row.p[kind],
                "p_corrected": corrected(row.p[kind], tests),
            }
            for kind in BRANCHES
        },
    }
