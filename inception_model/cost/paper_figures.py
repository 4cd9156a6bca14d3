"""What the paper prints: `params` and `ops` of its Table 1, its budget, where they leave the arithmetic, and Table 3.

The explanations are inferences from the numbers, not statements of the authors; the tests redo each calculation.
"""

from __future__ import annotations

from dataclasses import dataclass

BUDGET_MACS = 1_500_000_000
"""Section 1: the networks were designed to keep "a computational budget of 1.5 billion multiply-adds at inference"."""

_UNITS = {"K": 1_000, "M": 1_000_000}


@dataclass(frozen=True)
class PrintedRow:
    """One row of Table 1 as printed: output side in positions, output channels, and the two columns' own text."""

    side: int
    channels: int
    params_text: str
    ops_text: str

    @property
    def params(self) -> int:
        """The params column as a number, K read as 1,000."""
        return _number(self.params_text)

    @property
    def ops(self) -> int:
        """The ops column (multiply-adds) as a number."""
        return _number(self.ops_text)


def _number(text: str) -> int:
    return round(float(text[:-1]) * _UNITS[text[-1]])


PRINTED: dict[str, PrintedRow] = {
    "conv1": PrintedRow(112, 64, "2.7K", "34M"),
    "conv2": PrintedRow(56, 192, "112K", "360M"),
    "3a": PrintedRow(28, 256, "159K", "128M"),
    "3b": PrintedRow(28, 480, "380K", "304M"),
    "4a": PrintedRow(14, 512, "364K", "73M"),
    "4b": PrintedRow(14, 512, "437K", "88M"),
    "4c": PrintedRow(14, 512, "463K", "100M"),
    "4d": PrintedRow(14, 528, "580K", "119M"),
    "4e": PrintedRow(14, 832, "840K", "170M"),
    "5a": PrintedRow(7, 832, "1072K", "54M"),
    "5b": PrintedRow(7, 1024, "1388K", "71M"),
    "linear": PrintedRow(1, 1000, "1000K", "1M"),
}
"""Rows of Table 1 that hold weights, for 224 x 224 images and 1,000 classes."""

DISAGREEMENTS: dict[str, str] = {
    "all rows": "The params column fits K = 1,024: conv2 is then exactly 112.0K and linear exactly 1,000.0K.",
    "conv1": "2.7K and 34M fit a separable 7x7 (8 filters per colour, then 1x1 to 64): 2,712 weights, 34.0M "
    "multiply-adds. A plain 7x7, which every published network uses, has 9,408 and 118M.",
    "4a": "364K comes out with biases if 4a has 204 channels in its 3x3 branch, as in Google's own release, not 208.",
    "4b": "437K comes out with biases if 4a passes on 508 channels, as in Google's own release, not 512.",
    "4c": "463K is 6.9% below what the row's own widths give, even with K = 1,024; unexplained.",
    "4d": "580K is 1.8% below what the row's own widths give, even with K = 1,024; unexplained.",
    "4e": "840K is 0.8% below what the row's own widths give, even with K = 1,024; unexplained.",
    "5a": "54M comes out if the 5x5 reduction has 48 channels, as in Google's own release, not 32; 1072K fits "
    "neither width.",
    "5b": "1388K is 1.5% below what the row's own widths give, even with K = 1,024; unexplained.",
}
"""Known disagreements between the printed columns and the arithmetic on the printed widths, by row."""


@dataclass(frozen=True)
class VotingRow:
    """One row of Table 3: models, crops of each photo, top-5 error on the validation images as a share."""

    models: int
    crops: int
    top5_error: float

    @property
    def cost(self) -> int:
        """Forward passes per photo."""
        return self.models * self.crops


VOTING: tuple[VotingRow, ...] = (
    VotingRow(1, 1, 0.1007),
    VotingRow(1, 10, 0.0915),
    VotingRow(1, 144, 0.0789),
    VotingRow(7, 1, 0.0809),
    VotingRow(7, 10, 0.0762),
    VotingRow(7, 144, 0.0667),
)
"""Table 3: what crops and models bring, in the order in which it is printed."""
