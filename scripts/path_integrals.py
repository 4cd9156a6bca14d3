"""How well the rules for path integrals do on twenty real photos: `python scripts/path_integrals.py [--fine 1000]`.

Integrated gradients from black at the main head for its own answer, by every rule: the error of the sum, and how far
the map lies from one with many points (relative L2 distance of the values). With `--ledger` instead: the worst residual
of the credit ledger's rows before and after its path is refined. Prints a table in Markdown, a row when it is known.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inception_model.analysis.conductance import credit_ledger
from inception_model.analysis.quadrature import ROW_ERROR, STEPS
from inception_model.attribution import Attribution, baseline_images, explain
from inception_model.checkpoints.store import load
from inception_model.images.decode import open_photo
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from inception_model.trust.convergence import distance
from tests.benchmarks.bench_completeness import photo_files

ALL_RULES = ("gauss-legendre", "midpoint", "adaptive")


def maps(classifier: Classifier, files: list[Path], rules: list[str], fine: int) -> None:
    """A row per photo, then medians, and how many photos have an error below 1%."""
    columns = [f"{rule}: {what}" for rule in rules for what in ("error", "distance")[: 2 if fine else 1]]
    print(f"| photo | {' | '.join(columns)} | gradients of the last |")
    print("| --- |" + " ---: |" * (len(columns) + 1), flush=True)
    found: dict[str, list[float]] = {column: [] for column in columns}
    gradients: list[int] = []
    for path in files:
        x = classifier.prepare(open_photo(path).image)

        def by(rule: str, steps: int = STEPS, x: Tensor = x) -> Attribution:
            return explain(classifier, x, "integrated_gradients", options={"rule": rule, "steps": steps})

        limit = by("midpoint", fine) if fine else None
        for rule in rules:
            result = by(rule)
            assert result.completeness_error is not None
            assert result.integration is not None
            found[f"{rule}: error"].append(result.completeness_error)
            if limit is not None:
                found[f"{rule}: distance"].append(distance(result.values, limit.values))
        gradients.append(result.integration.gradients)
        print(f"| {path.stem} | {_cells([found[column][-1] for column in columns])} | {gradients[-1]} |", flush=True)
    print(f"| median | {_cells([statistics.median(found[c]) for c in columns])} | {statistics.median(gradients):g} |")
    for rule in rules:
        print(f"{rule}: {sum(error < 0.01 for error in found[f'{rule}: error'])} of {len(files)} below 1%")


def _cells(shares: list[float]) -> str:
    return " | ".join(f"{share:.2%}" for share in shares)


def ledgers(classifier: Classifier, files: list[Path]) -> None:
    """A row per photo: the worst row's residual after equal steps and after refinement, and the work of both."""
    print(f"| photo | worst row, {STEPS} equal steps | worst row, refined | steps | gradients |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    for path in files:
        x = classifier.prepare(open_photo(path).image)
        trace, start = capture(classifier, x), baseline_images("black", x, classifier)
        target = Target.parse("auto", classifier.checkpoint.labels, trace.logits("main")[0])
        equal, refined = (credit_ledger(classifier, x, start, target, error=error) for error in (None, ROW_ERROR))
        worst = [f"{float(ledger.relative_residuals.abs().max()):.1%}" for ledger in (equal, refined)]
        print(f"| {path.stem} | {' | '.join(worst)} | {refined.steps} | {refined.gradients} |", flush=True)


def main() -> None:
    """Reads the options and prints one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fine", type=int, default=1000, help="points of the map that all are compared with; 0: none")
    parser.add_argument("--rules", nargs="+", default=list(ALL_RULES), choices=ALL_RULES)
    parser.add_argument("--photos", type=int, default=20, help="only the first so many")
    parser.add_argument("--ledger", action="store_true", help="the credit ledger's residuals instead")
    args = parser.parse_args()
    classifier, files = build(load("tiny-imagenet"), "cpu"), photo_files()[: args.photos]
    if args.ledger:
        ledgers(classifier, files)
    else:
        maps(classifier, files, args.rules, args.fine)


if __name__ == "__main__":
    main()
