"""What a network costs: weights, parameters and MACs of every row of Table 1 and every branch, beside a naive twin.

Everything is arithmetic on shapes; no network is built. A MAC is one multiply-add of a convolution or linear layer
(one FLOP of FLOP counters is half a MAC); pooling, normalisation, ReLU and bias additions are not counted, as usual.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..architecture.spec import BRANCHES, DEFAULT_SIZE, BranchKind, HeadName, NetworkSpec
from ..drawing.notebook import render
from .layers import (
    DEFAULT_NAIVE,
    NAIVE,
    Layer,
    NaiveKind,
    aux_layers,
    aux_side,
    map_sides,
    stacked,
    trunk_layers,
    unit_widths,
)
from .paper_figures import BUDGET_MACS, DISAGREEMENTS, PRINTED, PrintedRow

MIN_SIZE = 32
"""Smaller images leave no position for 5a."""


@dataclass(frozen=True)
class Cost:
    """Sums over layers, for one image.

    `weights` are without biases. `params` are weights and one bias per output channel: the network as it runs, batch
    norm folded. `params_trained` are what an optimiser sees: with batch norm a scale and a shift instead of the bias.
    """

    weights: int
    params: int
    params_trained: int
    macs: int

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> Cost:
        """The cost of these layers together."""
        found = list(layers)
        weights = sum(layer.weights for layer in found)
        return cls(
            weights,
            weights + sum(layer.out_channels for layer in found),
            weights + sum(layer.out_channels * (2 if layer.normalised else 1) for layer in found),
            sum(layer.macs for layer in found),
        )


@dataclass(frozen=True)
class Row:
    """A row of Table 1: its cost, its naive twin's, and the paper's printed figures (None outside of Table 1)."""

    name: str
    side: int
    channels: int
    cost: Cost
    naive: Cost
    printed: PrintedRow | None

    @property
    def comparable(self) -> bool:
        """True where the output has the printed size, so that a difference to the printed figures means something."""
        return self.printed is not None and (self.side, self.channels) == (self.printed.side, self.printed.channels)


@dataclass(frozen=True)
class BranchCost:
    """One branch of a module, its reduction included, and its naive twin."""

    module: str
    branch: BranchKind
    cost: Cost
    naive: Cost


@dataclass(frozen=True)
class ComputeReport:
    """The costs of a network on one `size` x `size` image.

    `total` and `total_naive` are the trunk and its main classifier, what runs at inference; the auxiliary heads of
    `aux` come on top. `aux_left_out` names heads that can't take this size, with the reason.
    """

    spec: NetworkSpec
    size: int
    kind: NaiveKind
    layers: tuple[Layer, ...]
    rows: tuple[Row, ...]
    branches: tuple[BranchCost, ...]
    total: Cost
    total_naive: Cost
    aux: dict[HeadName, Cost]
    aux_left_out: dict[HeadName, str]

    @property
    def modules(self) -> tuple[Row, ...]:
        """The rows of the Inception modules."""
        return tuple(row for row in self.rows if row.name in self.spec.module_names)

    def row(self, name: str) -> Row:
        """A row by name; raises KeyError that lists them."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"unknown row {name!r}; allowed: {', '.join(row.name for row in self.rows)}")

    def of_module(self, name: str) -> tuple[BranchCost, ...]:
        """The four branches of a module; raises KeyError that lists the modules."""
        self.spec.block(name)
        return tuple(branch for branch in self.branches if branch.module == name)

    def module_layers(self, name: str) -> tuple[Layer, ...]:
        """The six convolutions of a module; raises KeyError that lists the modules."""
        self.spec.block(name)
        return tuple(layer for layer in self.layers if layer.row == name)

    def modules_total(self) -> tuple[Cost, Cost]:
        """All Inception modules together: (as they run, naive)."""
        return _total(row.cost for row in self.modules), _total(row.naive for row in self.modules)

    def as_dict(self) -> dict[str, Any]:
        """The report for machines; the keys are those of `compute --json`."""
        return {
            "spec": self.spec.name,
            "classes": self.spec.classes,
            "size": self.size,
            "naive": {"kind": self.kind, "meaning": NAIVE[self.kind]},
            "rows": [
                {
                    "name": row.name,
                    "output": [row.channels, row.side, row.side],
                    **_numbers(row.cost, row.naive),
                    "paper_params": row.printed and row.printed.params,
                    "paper_ops": row.printed and row.printed.ops,
                }
                for row in self.rows
            ],
            "branches": [{"module": b.module, "branch": b.branch, **_numbers(b.cost, b.naive)} for b in self.branches],
            "units": [
                {"module": x.row, "branch": x.branch, "unit": x.name, **asdict(Cost.of([x]))}
                for x in self.layers
                if x.branch is not None
            ],
            "total": _numbers(self.total, self.total_naive),
            "aux": {name: asdict(cost) for name, cost in self.aux.items()},
            "aux_left_out": self.aux_left_out,
            "paper_budget_macs": BUDGET_MACS,
        }

    def _repr_html_(self) -> str:
        """For notebooks: the rows with totals, beside the paper's figures where they can be compared."""
        return render("compute", report=self, naive=NAIVE[self.kind], disagreements=DISAGREEMENTS)


def compute_report(spec: NetworkSpec, size: int = DEFAULT_SIZE, naive: NaiveKind = DEFAULT_NAIVE) -> ComputeReport:
    """The costs of any network on a `size` x `size` image, beside its naive twin (see NAIVE).

    Raises ValueError for images below 32 pixels, widths or classes below one, and an unknown kind of naive.
    An auxiliary head that can't take this size is left out of the report and named in `aux_left_out`.
    """
    if naive not in NAIVE:
        raise ValueError(f"unknown kind of naive {naive!r}; allowed: {', '.join(NAIVE)}")
    if size < MIN_SIZE:
        raise ValueError(f"a {size} x {size} image is too small for this network; the least is {MIN_SIZE} x {MIN_SIZE}")
    widths = [spec.classes, spec.stem.conv1, spec.stem.conv2_reduce, spec.stem.conv2]
    if min(widths) < 1 or any(width < 1 for block in spec.blocks for width in unit_widths(block).values()):
        raise ValueError(f"{spec.name} has a layer of width zero; every width and the number of classes must be >= 1")
    sides = map_sides(spec, size)
    real = trunk_layers(spec, spec.blocks, sides, None)
    twin = trunk_layers(spec, stacked(spec) if naive == "figure-2a" else spec.blocks, sides, naive)
    aux: dict[HeadName, Cost] = {}
    left_out: dict[HeadName, str] = {}
    for head in spec.aux:
        side = aux_side(head, sides[head.after])
        if side == 4:
            aux[head.name] = Cost.of(aux_layers(spec, head))
        else:
            left_out[head.name] = (
                f"its 5x5/3 average pool leaves {side} x {side} positions at {size} px, and its FC needs 4 x 4"
            )
    return ComputeReport(
        spec, size, naive, tuple(real), _rows(real, twin), _branches(spec, real, twin), Cost.of(real), Cost.of(twin),
        aux, left_out,
    )  # fmt: skip


def _rows(real: list[Layer], twin: list[Layer]) -> tuple[Row, ...]:
    rows = []
    for name in dict.fromkeys(layer.row for layer in real):
        own = [layer for layer in real if layer.row == name]
        # A module's output is its branches' last convolutions side by side; elsewhere the last layer's.
        ends = [x for x in own if x.branch and not x.name.endswith("_reduce")] or own[-1:]
        rows.append(
            Row(
                name,
                own[-1].side,
                sum(layer.out_channels for layer in ends),
                Cost.of(own),
                Cost.of(layer for layer in twin if layer.row == name),
                PRINTED.get(name),
            )
        )
    return tuple(rows)


def _branches(spec: NetworkSpec, real: list[Layer], twin: list[Layer]) -> tuple[BranchCost, ...]:
    return tuple(
        BranchCost(
            name,
            kind,
            Cost.of(x for x in real if (x.row, x.branch) == (name, kind)),
            Cost.of(x for x in twin if (x.row, x.branch) == (name, kind)),
        )
        for name in spec.module_names
        for kind in BRANCHES
    )


def _total(costs: Iterable[Cost]) -> Cost:
    found = list(costs)
    return Cost(*(sum(getattr(c, f) for c in found) for f in ("weights", "params", "params_trained", "macs")))


def _numbers(cost: Cost, naive: Cost) -> dict[str, int]:
    return {**asdict(cost), "macs_naive": naive.macs, "params_naive": naive.params, "weights_naive": naive.weights}
