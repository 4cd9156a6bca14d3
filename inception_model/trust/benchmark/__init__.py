"""Faithfulness of maps over a data set, with intervals, resumable: methods x metrics x heads in one table."""

from .metrics import METRICS, Protocol
from .reading import read_table
from .records import BenchmarkError
from .rivals import RIVALS
from .running import CHEAP, plan, run
from .table import Table, require_same_network, table_path, tabulate

__all__ = [
    "CHEAP",
    "METRICS",
    "RIVALS",
    "BenchmarkError",
    "Protocol",
    "Table",
    "plan",
    "read_table",
    "require_same_network",
    "run",
    "table_path",
    "tabulate",
]
