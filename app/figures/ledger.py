"""The credit ledger as HTML: every module's row as a sum of four branches, in numbers and as a bar about zero."""

from __future__ import annotations

import math

from app.static import style
from inception_model.analysis.conductance import CreditLedger, ExactSplit
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.numbers import signed
from inception_model.drawing.palette import BRANCH_NAMES

STYLE = f"<style>\n{style('ledger')}</style>"


def signed_share(share: float) -> str:
    """A share of the total, signed, in percent; a dash where the total is zero."""
    return "–" if math.isnan(share) else f"{signed(100 * share, 1)}%"


def ledger_html(ledger: CreditLedger) -> str:
    """The table: module, a bar about zero, four branches, sum, residual; dashed: what every row should add up to."""
    rows = ledger.table.tolist()
    residuals, shares = ledger.residuals.tolist(), ledger.relative_residuals.tolist()
    names = "".join(f'<th style="--c:var(--b{kind})"><i></i>{BRANCH_NAMES[kind]}</th>' for kind in BRANCHES)
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{signed(value)}</td>" for value in row)
        + f'<td>{signed(sum(row))}</td><td class="quiet">{signed(residual)} ({signed_share(share)})</td></tr>'
        for name, row, residual, share in zip(ledger.modules, rows, residuals, shares, strict=True)
    )
    return (
        f'{STYLE}<div class="ledger-scroll" tabindex="0" role="region" aria-label="Credit of every branch">'
        f'<table class="ledger"><thead><tr><th></th>'
        f"{names}<th>sum</th><th>residual</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def exact_html(split: ExactSplit, image: int = 0) -> str:
    """5b's exact split as a written sum: four branches, the bias, the score."""
    parts = [
        f'<span style="--c:var(--b{kind})">{BRANCH_NAMES[kind]} {signed(value)}</span>'
        for kind, value in zip(BRANCHES, split.branches[image].tolist(), strict=True)
    ]
    parts.append(f'<span style="--c:var(--line)">bias {signed(split.bias)}</span>')
    score = f'<span style="--c:var(--ink)"><b>{signed(float(split.score[image]))}</b></span>'
    return f'{STYLE}<p class="ledger-sum">{" ".join(parts)} = {score}</p>'


def in_words(ledger: CreditLedger) -> str:
    """One plain sentence: what the rows add up to, the worst residual, and the branch that earned most."""
    flat = [(v, name, kind) for name, row in zip(ledger.modules, ledger.table.tolist(), strict=True)
            for kind, v in zip(BRANCHES, row, strict=True)]  # fmt: skip
    most, least = max(flat), min(flat)
    worst = max(ledger.residuals.abs().tolist())
    last = "took away most" if least[0] < 0 else "earned least"
    return (
        f"Every row adds up to {signed(ledger.total)} logits (from {signed(ledger.baseline_score)} at the baseline to "
        f"{signed(ledger.score)} on the photo) but for its residual, at most {worst:.2f} after {ledger.steps} steps. "
        f"Most was earned by {most[1]} {BRANCH_NAMES[most[2]]} ({signed(most[0])}); "
        f"{least[1]} {BRANCH_NAMES[least[2]]} {last} ({signed(least[0])})."
    )
