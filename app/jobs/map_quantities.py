"""What the network map can be coloured by: one number per branch of every module, from the photo or from the network.

Two of them need a calculation of their own (`Computed`): the same answers, under the same keys, as on the page Why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.jobs.ablation import sweep_job
from app.jobs.attribution import words_of
from app.jobs.background import Job
from app.jobs.conductance import chosen_cut, conductance_job
from app.state import network, options, session
from app.state.panel import Panel
from inception_model.analysis.ablation import Sweep
from inception_model.analysis.conductance import CreditLedger
from inception_model.analysis.receptive_field import receptive_field
from inception_model.architecture.spec import BRANCHES, BranchKind, HeadName, NetworkSpec
from inception_model.cost.report import compute_report
from inception_model.drawing.numbers import amount, number, signed
from inception_model.inference.targets import Target
from inception_model.inference.trace import Trace

Values = Mapping[str, Mapping[BranchKind, float]]
"""Module -> branch -> number. Modules behind the head that is explained are left out."""


@dataclass(frozen=True)
class Computed:
    """A long way to a quantity: what is calculated about a panel's photo, its title, and the values read off it."""

    title: str
    job: Callable[[Panel], Job]
    read: Callable[[Panel, Any], Values]


@dataclass(frozen=True)
class Quantity:
    """A quantity: its name on the switch, what one number is in words, how it is written, and how to read the map.

    `signed` ones are drawn from blue to red about zero, all others as strong in the branch's colour as they are large.
    Red always stands for what speaks for the answer: numbers that are larger where a branch speaks `against` it turn
    the colours round.
    `source`: its values for a panel at once, or the calculation that they need.
    """

    label: str
    one: str
    reading: str
    source: Callable[[Panel], Values] | Computed
    write: Callable[[float], str] = number
    signed: bool = False
    against: bool = False


def mean_activations(trace: Trace) -> Values:
    """Mean activation of every branch, over channels and positions of the first image."""
    return {
        name: {kind: float(branch.output[0].mean()) for kind, branch in block.branches.items()}
        for name, block in trace.blocks.items()
    }


def sparsities(trace: Trace) -> Values:
    """Share of every branch's values that are exactly zero on the first image."""
    return {
        name: {kind: float((branch.output[0] == 0).float().mean()) for kind, branch in block.branches.items()}
        for name, block in trace.blocks.items()
    }


def costs(spec: NetworkSpec, size: int, what: str) -> Values:
    """`macs` or `params` of every branch, its reduction included."""
    report = compute_report(spec, size)
    return {
        name: {row.branch: float(getattr(row.cost, what)) for row in report.of_module(name)}
        for name in spec.module_names
    }


def fields(spec: NetworkSpec) -> Values:
    """Side in pixels of what a unit of every branch can see."""
    return {
        name: {kind: float(receptive_field(spec, name, kind).size) for kind in BRANCHES} for name in spec.module_names
    }


def credits_of(ledger: CreditLedger) -> Values:
    """Credit of every branch that the ledger's head sees."""
    rows = zip(ledger.modules, ledger.table.tolist(), strict=True)
    return {name: dict(zip(BRANCHES, row, strict=True)) for name, row in rows}


def effects_of(sweep: Sweep, head: HeadName, target: Target) -> Values:
    """Change of the target's score at a head when a branch is off; of the modules that the head sees."""
    rows = zip(sweep.modules, sweep.score_changes(head, target), strict=True)
    return {name: dict(zip(BRANCHES, row, strict=True)) for name, row in rows}


def explained(panel: Panel) -> tuple[HeadName, Target]:
    """The deepest trained head and its answer: what credit and effect are about."""
    head = network.trained_heads()[-1]
    return head, Target.parse("auto", network.checkpoint().labels, panel.trace().logits(head)[0])


def _credit_job(panel: Panel) -> Job:
    return conductance_job(panel, *explained(panel), session.option(options.WHY_BASELINE), chosen_cut())


def _effect_job(panel: Panel) -> Job:
    return sweep_job(panel, session.option(options.ABLATION_FILL))


def _costs(what: str) -> Values:
    return costs(network.spec(), network.checkpoint().preprocessing.size, what)


QUANTITIES: dict[str, Quantity] = {
    "activation": Quantity(
        "activation",
        "mean activation",
        "as strong in colour as their mean activation here",
        lambda panel: mean_activations(panel.trace()),
    ),
    "sparsity": Quantity(
        "sparsity",
        "zeros",
        "as strong in colour as the share of their values that is exactly zero on this photo",
        lambda panel: sparsities(panel.trace()),
        lambda value: f"{value:.0%}",
    ),
    "credit": Quantity(
        "credit",
        "logits of credit",
        "red where they earned the answer's score on the way from the baseline to the photo, blue where they cost it",
        Computed("Credit ledger", _credit_job, lambda panel, ledger: credits_of(ledger)),
        signed,
        signed=True,
    ),
    "effect": Quantity(
        "effect of ablation",
        "logits when switched off",
        "red where they speak for the answer, whose score falls when they alone are switched off, blue where it rises",
        Computed("Sweep", _effect_job, lambda panel, found: effects_of(found, *explained(panel))),
        signed,
        signed=True,
        against=True,
    ),
    "macs": Quantity(
        "MACs",
        "MACs",
        "as strong in colour as the multiply-adds they take, their 1×1 reduction included",
        lambda panel: _costs("macs"),
        amount,
    ),
    "params": Quantity(
        "parameters",
        "parameters",
        "as strong in colour as the parameters they hold, their 1×1 reduction included",
        lambda panel: _costs("params"),
        amount,
    ),
    "field": Quantity(
        "receptive field",
        "pixels across",
        "as strong in colour as the side of what one unit can see",
        lambda panel: fields(network.spec()),
        lambda value: f"{value:.0f}",
    ),
}
"""Every quantity by the name that a link carries."""


def available() -> list[str]:
    """Names of the quantities that make sense here: without a trained head there is no answer to explain."""
    trained = bool(network.trained_heads())
    return [name for name, quantity in QUANTITIES.items() if trained or not quantity.signed]


def about(panel: Panel, name: str) -> str:
    """Of which answer a quantity speaks, in words; empty where it speaks of none."""
    if not QUANTITIES[name].signed:
        return ""
    head, target = explained(panel)
    return f"{words_of(target)} at {head}"
