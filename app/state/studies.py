"""The results of studies that come with the project: none is shown where there is no file of it."""

from __future__ import annotations

from functools import lru_cache

from inception_model.studies.results import StudyResults, load_results, results_path


def found(study: str) -> StudyResults | None:
    """None where no file lies there, or one in which nothing has run yet. Raises CheckpointError for a wrong file."""
    path = results_path(study)
    if not path.is_file():
        return None
    stat = path.stat()
    results = _read(study, (stat.st_mtime_ns, stat.st_size))
    return results if results.runs else None


@lru_cache(maxsize=8)
def _read(study: str, stamp: tuple[int, int]) -> StudyResults:
    return load_results(results_path(study))
