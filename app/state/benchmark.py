"""The chosen checkpoint's trust benchmark, from the JSON file that lies beside its weights."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.state import network
from inception_model.trust.benchmark import Table, read_table, require_same_network, table_path


@st.cache_resource(max_entries=3, show_spinner=False)
def _table(path: str, stamp: tuple[int, int]) -> Table:
    return read_table(Path(path))


def table() -> Table | None:
    """None where no file lies beside the checkpoint. Raises BenchmarkError for a wrong one, also for other weights."""
    path = table_path(network.settings()[0])
    if not path.is_file():
        return None
    stat = path.stat()
    found = _table(str(path), (stat.st_mtime_ns, stat.st_size))
    require_same_network(found, network.checkpoint())
    return found
