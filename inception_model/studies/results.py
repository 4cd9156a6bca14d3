"""What a study has found: every run with its seed, the intervals over seeds, and the file that a study goes on from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.special import stdtrit

from ..checkpoints import plain_json
from ..checkpoints.checkpoint import ASSETS, CheckpointError
from ..checkpoints.limits import MAX_BESIDE
from ..cost.report import Cost
from ..training.data import DatasetError
from ..whole_file import whole

FORMAT = 1
LEVEL = 0.95
"""Of the intervals."""
MOST = 1_000
"""Runs, points and names that a file may hold at most."""
_STAGE = ("size", "epochs", "tune")
Points = tuple[tuple[int, float], ...]
"""(step, value), in the order of the steps."""


@dataclass(frozen=True)
class Run:
    """One training. `curve`: top-1 of main on the held-out images after some steps, the last of which is `top1`.
    `gradients`: module -> norm of the whole loss's gradient with respect to its weights, after some steps."""

    variant: str
    seed: int
    top1: float
    top5: float
    steps: int
    seconds: float
    curve: Points
    gradients: dict[str, Points] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with Student's interval (`low`, `high`), which there is from two seeds on."""

    value: float
    interval: tuple[float, float] | None
    count: int


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of independent values, with the interval that contains the true one with a probability of LEVEL if they
    are normal. Raises ValueError without values."""
    middle = mean(values)
    if len(values) < 2:
        return Mean(middle, None, 1)
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * stdev(values) / math.sqrt(len(values))
    return Mean(middle, (middle - half, middle + half), len(values))


@dataclass(frozen=True)
class Summary:
    """A variant's row: `difference` in top-1 to the base, seed by seed (None: the base itself, or no seed in common).

    `gradients`: module -> how many times the base's gradient norm this one's is, over all measured steps."""

    variant: str
    series: str
    cost: Cost
    top1: Mean
    top5: Mean
    difference: Mean | None
    gradients: dict[str, Mean]
    seconds: float
    steps: int


@dataclass
class StudyResults:
    """`settings`: all that decides the runs, as plain JSON. `costs`, `series`: by variant, in the order of the study.
    `pace`: variant -> seconds a step, measured before the first run where all train for the same time."""

    study: str
    base: str
    settings: dict[str, Any]
    costs: dict[str, Cost]
    series: dict[str, str]
    pace: dict[str, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    file: Path | None = field(default=None, compare=False)

    def of(self, variant: str) -> list[Run]:
        """The runs of a variant, by seed."""
        return sorted((run for run in self.runs if run.variant == variant), key=lambda run: run.seed)

    def summaries(self) -> list[Summary]:
        """A row for every variant that has run, in the order of the study."""
        return [self._summary(name) for name in self.costs if self.of(name)]

    def _summary(self, name: str) -> Summary:
        own, base = self.of(name), {run.seed: run for run in self.of(self.base)}
        pairs = [] if name == self.base else [(run, base[run.seed]) for run in own if run.seed in base]
        return Summary(
            name,
            self.series[name],
            self.costs[name],
            _share([run.top1 for run in own]),
            _share([run.top5 for run in own]),
            mean_of([run.top1 - other.top1 for run, other in pairs]) if pairs else None,
            {module: _ratio(pairs, module) for module in own[0].gradients} if pairs else {},
            mean(run.seconds for run in own),
            round(mean(run.steps for run in own)),
        )

    @property
    def described(self) -> str:
        """How it was measured, in words; CheckpointError where the settings don't say so."""
        told = self.settings
        keys = ("images", "classes", "measured")
        images, classes, measured = (plain_json.whole(told.get(key), key, 1, 10**9) for key in keys)
        stage = plain_json.fields(plain_json.items(told.get("stages"), "stages", 1)[0], "a stage", _STAGE)
        size = plain_json.whole(stage["size"], "a size", 1, MOST)
        width, epochs = _real(told.get("width"), "a width"), _real(stage["epochs"], "epochs")
        long = f"{epochs:g} epoch{'s' if epochs != 1 else ''}"
        equal = long if not self.pace else f"as long as {self.base} takes for {long}"
        return (
            f"{images:,} training images of {classes:,} classes at {size} px, {equal}; measured on {measured:,} "
            f"validation images; widths are {width:g} times the published ones."
        )

    def save(self) -> None:
        """Writes the file as a whole or not at all; DatasetError where the disk has no room: what was there stays."""
        if self.file is None:
            return
        told = {"format": FORMAT, **{name: value for name, value in asdict(self).items() if name != "file"}}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with whole(self.file) as part:
                part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DatasetError(
                f"{self.file} can't be written ({error.strerror}); what it held before is kept: make room, and the "
                "same command goes on"
            ) from None

    def goes_on(self) -> StudyResults:
        """These results, or those of the file where it has been begun; DatasetError where it was asked otherwise."""
        if self.file is None or not self.file.exists():
            return self
        try:
            former = load_results(self.file)
        except CheckpointError as error:
            raise DatasetError(f"{error}; name another file") from None
        mine, theirs = ({"study": one.study, **one.settings} for one in (self, former))
        other = sorted(key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key))
        if other:
            what = "; ".join(f"{key} {theirs.get(key)} there, {mine.get(key)} here" for key in other)
            raise DatasetError(
                f"{self.file} was begun with other settings ({what}); name another file, or remove it to start again"
            )
        former.file = self.file
        return former


def _share(values: Sequence[float]) -> Mean:
    """As `mean_of`, for shares: an interval ends where shares do."""
    found = mean_of(values)
    return replace(found, interval=found.interval and (max(0.0, found.interval[0]), min(1.0, found.interval[1])))


def _ratio(pairs: Iterable[tuple[Run, Run]], module: str) -> Mean:
    """How many times larger the gradient's norm is: the geometric mean over the steps, then over the seeds."""
    found = mean_of([_typical(run, module) - _typical(other, module) for run, other in pairs])
    interval = None if found.interval is None else (math.exp(found.interval[0]), math.exp(found.interval[1]))
    return Mean(math.exp(found.value), interval, found.count)


def _typical(run: Run, module: str) -> float:
    return mean(math.log(max(norm, 1e-30)) for _, norm in run.gradients[module])


def results_path(study: str) -> Path:
    """Where the results that come with the project lie."""
    return ASSETS / "studies" / f"{study}.json"


def load_results(path: Path) -> StudyResults:
    """The results in a file, which is untrusted input; raises CheckpointError for any other file."""
    try:
        text = path.read_bytes()[: MAX_BESIDE + 1]
        told = plain_json.parse(text, MAX_BESIDE, "it")
        names = ("format", "study", "base", "settings", "costs", "series", "pace", "runs")
        told = plain_json.fields(told, "it", names)
        plain_json.whole(told["format"], "its format", FORMAT, FORMAT)
        costs = plain_json.entries(told["costs"], "its costs", MOST)
        found = StudyResults(
            _word(told["study"], "its study"),
            _word(told["base"], "its base"),
            {_word(key, "a setting"): value for key, value in plain_json.entries(told["settings"], "it", MOST).items()},
            {_word(name, "a variant"): _cost(value) for name, value in costs.items()},
            {name: _word(value, "a series") for name, value in plain_json.entries(told["series"], "it", MOST).items()},
            {
                name: _real(value, "a pace")
                for name, value in plain_json.entries(told["pace"], "its pace", MOST).items()
            },
            [_run(row) for row in plain_json.items(told["runs"], "its runs", MOST)],
        )
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"{path.name} is no result of `study`: {error}") from None
    try:
        _ = found.described
    except (CheckpointError, IndexError) as error:
        raise CheckpointError(f"{path.name} is no result of `study`: {error}") from None
    if set(found.series) != set(found.costs) or {run.variant for run in found.runs} - set(found.costs):
        raise CheckpointError(f"{path.name} is no result of `study`: it has runs of variants that it does not name")
    return found


def _word(value: Any, what: str) -> str:
    return plain_json.words(value, what, 100)


def _real(value: Any, what: str) -> float:
    return plain_json.number(value, what, 0, 1e12)


def _cost(value: Any) -> Cost:
    names = ("weights", "params", "params_trained", "macs")
    told = plain_json.fields(value, "a cost", names)
    return Cost(*(plain_json.whole(told[name], name, 0, 10**15) for name in names))


def _points(value: Any) -> Points:
    points = (plain_json.items(point, "a point", 2) for point in plain_json.items(value, "a curve", MOST))
    return tuple((plain_json.whole(step, "a step", 0, 10**9), _real(number, "a value")) for step, number in points)


def _run(value: Any) -> Run:
    told = plain_json.fields(
        value, "a run", ("variant", "seed", "top1", "top5", "steps", "seconds", "curve", "gradients")
    )
    gradients = plain_json.entries(told["gradients"], "its gradients", MOST)
    return Run(
        _word(told["variant"], "a variant"),
        plain_json.whole(told["seed"], "a seed", 0, 10**9),
        plain_json.number(told["top1"], "top1", 0, 1),
        plain_json.number(told["top5"], "top5", 0, 1),
        plain_json.whole(told["steps"], "its steps", 0, 10**9),
        _real(told["seconds"], "its seconds"),
        _points(told["curve"]),
        {_word(module, "a module"): _points(points) for module, points in gradients.items()},
    )
