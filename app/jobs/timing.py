"""The clock of the page Cost: real modules against their naive twins on this machine, kept by the session."""

from __future__ import annotations

from typing import cast

from app.state import network, session, turn
from inception_model.cost.report import ComputeReport
from inception_model.cost.timing import ModuleTiming, measure_modules
from inception_model.progress import Progress

RUNS = 9
_TIMINGS = "cost.timings"

Timings = tuple[ModuleTiming, ...]


def _key(report: ComputeReport) -> tuple[object, ...]:
    return report.spec, report.size, report.kind, *network.classifier_key()[1:]


def measured(report: ComputeReport) -> Timings | None:
    """What this session has measured of the report's network, size and naive kind on this device; None: nothing."""
    return cast("dict[tuple[object, ...], Timings]", session.get(_TIMINGS, {})).get(_key(report))


def measure(report: ComputeReport, progress: Progress) -> Timings:
    """Measures every module RUNS times and keeps it for the session; raises BusyError or Cancelled."""
    with turn.awaited() as waiting:
        found = network.service().run(
            lambda twin, progress: measure_modules(
                report.spec, report.size, twin.device, kind=report.kind, dtype=twin.dtype, runs=RUNS, progress=progress
            ),
            progress=progress,
            **waiting,
        )
    session.put(_TIMINGS, {**session.get(_TIMINGS, {}), _key(report): found})
    return found
