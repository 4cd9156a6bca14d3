"""What a report is asked for, and whether there is such a thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..analysis.ablation import DEFAULT_FILL, Fill, find_fill
from ..analysis.quadrature import LIMIT, ROW_ERROR, STEPS
from ..architecture.spec import DEFAULT_HEAD, DEFAULT_MODULE, HeadName
from ..attribution import METHODS, AttributionError, find_method
from ..attribution.explaining import NOISE_IMAGES, read_layer, trained_head
from ..attribution.options import check_places
from ..images.baselines import BASELINES, DEFAULT_BASELINE
from ..inference.classifier import Classifier
from ..inference.targets import AUTO, Target
from ..trust import QUICK
from ..trust.checks import find_check

METHODS_SHOWN = ("gradcam", "integrated_gradients")
"""The maps of a report when nothing else is asked for."""

FORMER_FILLS: dict[str, Fill] = {"mean": "mean-blur"}
"""Names of fills that manifests of reports had, and what they meant there; no command takes them."""


@dataclass(frozen=True)
class Settings:
    """What a report is about.

    `target`: what `targets.FORMS` says, for `head`. `layer`, `baseline`, `options`: as `explain` takes them, for every
    method that has them. The ledger starts at the same baseline with `steps` intervals, which are halved until every
    row's residual is below `error` percent, with at most `limit` gradients. `module` is shown with every channel.
    `fill`: what a branch that is switched off is set to, a name of `analysis.ablation.FILLS`. `checkpoint`: how the
    network was asked for, a name or a file's name without its folder (default: its own name). `checks`: how far every
    map is tested, names of `trust.CHECKS`. `raw`: whether probabilities are plain softmax where the checkpoint carries
    temperatures.
    """

    head: str = DEFAULT_HEAD
    target: str | Target = AUTO
    methods: tuple[str, ...] = METHODS_SHOWN
    layer: str | None = None
    baseline: str = DEFAULT_BASELINE
    options: tuple[tuple[str, Any], ...] = ()
    module: str = DEFAULT_MODULE
    steps: int = STEPS
    fill: Fill = DEFAULT_FILL
    checkpoint: str = ""
    checks: tuple[str, ...] = QUICK
    error: float = ROW_ERROR
    limit: int = LIMIT
    raw: bool = False

    def __post_init__(self) -> None:
        """A former name of a fill becomes today's; raises ValueError for an unknown one."""
        object.__setattr__(self, "fill", find_fill(self.fill, FORMER_FILLS))


def check(classifier: Classifier, settings: Settings) -> HeadName:
    """Raises what `collect` raises for what is not there, the target aside; returns the head."""
    head = trained_head(classifier, settings.head)
    rows = [find_method(name) for name in settings.methods]
    known = {option.name: option for row in rows for option in row.options}
    for name, value in settings.options:
        if name not in known:
            raise AttributionError(
                f"unknown option {name!r}; the chosen methods have: {', '.join(known) or 'no options at all'}"
            )
        for row in rows:
            for option in row.options:
                if option.name == name:
                    option.read(value)
    for name in settings.checks:
        find_check(name)
    for row in rows:
        check_places(row.options, dict(settings.options), classifier.network.spec, head)
    layered = [row for row in rows if "layer" in row.needs]
    if settings.layer is not None and not layered:
        raise AttributionError(f"none of the chosen methods takes a layer; leave {settings.layer!r} out")
    for row in layered:
        read_layer(row, classifier, head, settings.layer)
    if settings.baseline not in BASELINES:
        raise KeyError(f"unknown baseline {settings.baseline!r}; allowed: {', '.join(BASELINES)}")
    if settings.module not in classifier.checkpoint.spec.module_names:
        allowed = ", ".join(classifier.checkpoint.spec.module_names)
        raise KeyError(f"unknown module {settings.module!r}; allowed: {allowed}")
    if settings.steps < 1:
        raise ValueError(f"steps must be at least 1; got {settings.steps}")
    if not settings.error > 0:
        raise ValueError(f"the error must be above 0 percent; got {settings.error}")
    return head


def options_of(method: str, settings: Settings) -> dict[str, Any]:
    """The given options that this method has."""
    return {name: value for name, value in settings.options if name in METHODS[method].defaults}


def costs(classifier: Classifier, settings: Settings) -> dict[str, float]:
    """About how many forward passes every part takes: the shares of the progress."""
    times = NOISE_IMAGES if settings.baseline == "noise" else 1
    side = classifier.preprocessing.size
    maps = {}
    for name in settings.methods:
        row = METHODS[name]
        given = {option.name: option.read(value) for option in row.options
                 for key, value in settings.options if key == option.name}  # fmt: skip
        maps[name] = row.cost(given, side) * (times if "baseline" in row.needs else 1)
    spec, head = classifier.checkpoint.spec, trained_head(classifier, settings.head)
    tests = [find_check(name) for name in settings.checks]
    checks = {
        f"{name}, checked": 1.0 + sum(test.cost(spec, head, cost, name) for test in tests)
        for name, cost in maps.items()
    }
    return {**maps, **checks, "ledger": 4.0 * settings.steps, "ablation": 20.0}
