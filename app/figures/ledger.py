"""The credit ledger as a table: every module's row as a sum of four branches, in numbers and as a bar about zero."""

from __future__ import annotations

import math

from markupsafe import Markup

from app.templates import render
from inception_model.analysis.conductance import CreditLedger, ExactSplit
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.numbers import signed
from inception_model.drawing.palette import BRANCH_NAMES


def signed_share(share: float) -> str:
    """A share of the total, signed, in percent; a dash where the total is zero."""
    return "–" if math.isnan(share) else f"{signed(100 * share, 1)}%"


def ledger_html(ledger: CreditLedger) -> Markup:
    """The table: module, four branches, sum, residual and its share of the total, steps that this took."""
    residuals, shares = ledger.residuals.tolist(), ledger.relative_residuals.tolist()
    rows = [
        {
            "module": name,
            "credits": row,
            "sum": sum(row),
            "residual": residual,
            "share": signed_share(share),
            "steps": steps,
            "met": name not in ledger.unmet,
        }
        for name, row, residual, share, steps in zip(
            ledger.modules, ledger.table.tolist(), residuals, shares, ledger.row_steps, strict=True
        )
    ]
    return render("ledger.html", branches=BRANCHES, rows=rows)


def exact_html(split: ExactSplit, image: int = 0) -> Markup:
    """5b's exact split as a written sum: four branches, the bias, the score."""
    branches = list(zip(BRANCHES, split.branches[image].tolist(), strict=True))
    return render("ledger_split.html", branches=branches, bias=split.bias, score=float(split.score[image]))


def in_words(ledger: CreditLedger) -> str:
    """One plain sentence: what the rows add up to, the worst residual, and the branch that earned most."""
    flat = [(v, name, kind) for name, row in zip(ledger.modules, ledger.table.tolist(), strict=True)
            for kind, v in zip(BRANCHES, row, strict=True)]  # fmt: skip
    most, least = max(flat), min(flat)
    worst = max(ledger.residuals.abs().tolist())
    last = "took away most" if least[0] < 0 else "earned least"
    return (
        f"Every row adds up to {signed(ledger.total)} logits (from {signed(ledger.baseline_score)} at the baseline to "
        f"{signed(ledger.score)} on the photo) but for its residual, at most {worst:.2f}. {ledger.steps_words} "
        f"Most was earned by {most[1]} {BRANCH_NAMES[most[2]]} ({signed(most[0])}); "
        f"{least[1]} {BRANCH_NAMES[least[2]]} {last} ({signed(least[0])})."
    )
