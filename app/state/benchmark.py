"""The chosen checkpoint's trust benchmark, from the JSON file that lies beside its weights."""

from __future__ import annotations

from app.state import network, shelf
from inception_model.trust.benchmark import Table, read_table, require_same_network, table_path


def table() -> Table | None:
    """None where no file lies beside the checkpoint. Raises BenchmarkError for a wrong one, also for other weights."""
    path = table_path(network.settings()[0])
    if not path.is_file():
        return None
    stat = path.stat()
    key = ("benchmark", str(path), stat.st_mtime_ns, stat.st_size)
    found = shelf.ANSWERS.get(key, lambda: read_table(path))
    require_same_network(found, network.checkpoint())
    return found
