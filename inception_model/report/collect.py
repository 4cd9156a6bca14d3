"""Everything that a report says about one photo, as plain data: numbers ready for JSON, and arrays to be drawn.

Neither the photo's pixels nor its name are kept here: whether they are shown is decided when the page is made.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..analysis.ablation import fill_means, sweep
from ..analysis.conductance import credit_ledger, exact_split
from ..analysis.doubt import doubt_of
from ..analysis.ood_file import Known
from ..analysis.probes import Probes
from ..analysis.timeline import timeline
from ..architecture.address import head_modules
from ..architecture.spec import UNITS, BranchKind, HeadName
from ..attribution import METHODS, explain
from ..attribution.reading import PAPERS, numbers, unit_of
from ..cost.report import compute_report
from ..drawing.atlas import Atlas, channel_order, channel_stats, make_atlas
from ..drawing.colormaps import Values, full_scale
from ..images.baselines import baseline
from ..images.decode import Photo
from ..images.geometry import square_text
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import BlockTrace, Trace, capture
from ..progress import Progress, report
from ..trust import evidence
from .settings import Settings, check, costs, options_of
from .software import versions

FORMAT, VERSION = "inceptionscope-report", 1
"""What the manifest calls itself; the version rises when a key changes its meaning."""

CHANNELS_SHOWN = 32
"""Channels of a branch in the overview of all modules: the strongest by mean."""

COLUMNS = {"overview": 8, "module": 16}
"""Channels side by side in the pictures of a branch."""


@dataclass(frozen=True)
class Findings:
    """A report's content, whosever photo it is: `facts` is the manifest without the photo's name.

    `maps`: (H, W) per method, in the order of the settings; `overview`: module -> branch -> its strongest channels;
    `module`: the six convolutions of the chosen module with every channel.
    """

    facts: dict[str, Any] = field(repr=False)
    maps: tuple[Values, ...] = field(repr=False)
    overview: dict[str, dict[BranchKind, Atlas]] = field(repr=False)
    module: dict[str, Atlas] = field(repr=False)


def collect(
    classifier: Classifier,
    photo: Photo,
    settings: Settings | None = None,
    *,
    probes: Probes | None = None,
    known: Known | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Findings:
    """Asks the network everything that the report says. Some methods hook: give it a twin that nobody else uses.

    `probes`: this checkpoint's, where there are any, for the time line; `known`: what its classes look like to it.
    `progress` is told in thousandths; setting `cancel` raises Cancelled before the next step. What is not there
    raises AttributionError, TargetError or KeyError, which list what is, before anything long is computed.
    """
    chosen = settings or Settings()
    classifier = classifier.raw() if chosen.raw else classifier
    head = check(classifier, chosen)
    trace = capture(classifier, classifier.prepare(photo.image, photo.square))
    labels, logits = classifier.checkpoint.labels, trace.logits(head)[0]
    target = chosen.target if isinstance(chosen.target, Target) else Target.parse(chosen.target, labels, logits)
    parts = _Parts(classifier, photo, chosen, head, target, trace, costs(classifier, chosen), progress, cancel)
    drawn = [parts.map(name) for name in chosen.methods]
    overview = {name: _strongest(block) for name, block in trace.blocks.items()}
    doubt = doubt_of(classifier, trace, known)
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "network": _network(classifier),
        "image": _image(classifier, photo),
        "settings": {**asdict(chosen), "head": head, "target": asdict(target), "options": dict(chosen.options)},
        "doubt": None if doubt is None else asdict(doubt),
        "heads": _heads(classifier, trace),
        "timeline": asdict(timeline(classifier, trace, target.index, probes=probes)),
        "maps": [said for said, _ in drawn],
        "modules": [_module(trace.block(name), atlases) for name, atlases in overview.items()],
        "ledger": parts.ledger(),
        "ablation": parts.ablation(),
        "compute": compute_report(classifier.checkpoint.spec, classifier.preprocessing.size).as_dict(),
    }
    report(1000, 1000, progress, cancel)
    facts = json.loads(json.dumps(facts, allow_nan=False))  # plain data, as whoever reads the manifest sees it
    return Findings(facts, tuple(values for _, values in drawn), overview, _every_channel(trace.block(chosen.module)))


@dataclass
class _Parts:
    """The slow parts of one collection; each tells its share of the whole progress."""

    classifier: Classifier
    photo: Photo
    settings: Settings
    head: HeadName
    target: Target
    trace: Trace
    costs: Mapping[str, float]
    progress: Progress | None
    cancel: threading.Event | None
    done: float = 0.0

    def _running(self, name: str) -> dict[str, Any]:
        """`progress` and `cancel` for the part of that name."""
        before, share, total = self.done, self.costs[name], sum(self.costs.values())
        self.done += share

        def told(done: int, steps: int) -> None:
            part = before + share * done / max(1, steps)
            report(min(999, round(1000 * part / total)), 1000, self.progress, self.cancel)

        told(0, 1)
        return {"progress": told, "cancel": self.cancel}

    def map(self, name: str) -> tuple[dict[str, Any], Values]:
        """What a method says: its numbers with the quick checks' verdicts, and its map (H, W)."""
        x, needs = self.classifier.prepare(self.photo.image, self.photo.square), METHODS[name].needs
        found = explain(
            self.classifier,
            x,
            name,
            self.head,
            self.target,
            layer=self.settings.layer if "layer" in needs else None,
            baseline=self.settings.baseline,
            options=options_of(name, self.settings),
            **self._running(name),
        )
        badge = evidence(self.classifier, x, found, self.settings.checks, **self._running(f"{name}, checked"))
        heatmap = found.heatmap.numpy()
        said = {
            **numbers(found),
            "label": METHODS[name].label,
            "paper": PAPERS[name],
            "reading": METHODS[name].reading,
            "unit": unit_of(name),
            "shape": list(heatmap.shape),
            "largest": full_scale(heatmap),
            "share_for": float((heatmap > 0).mean()),
            "share_against": float((heatmap < 0).mean()),
            "colours_end": float(np.quantile(np.abs(heatmap), 0.99, method="higher")),
            "trust": badge.as_dict(),
        }
        return said, heatmap

    def ledger(self) -> dict[str, Any]:
        """The credit of every branch, and for the main head the exact split of the last module."""
        x = self.classifier.preprocessing(self.photo.image, self.photo.square)
        start = baseline(self.settings.baseline, x, self.classifier.preprocessing)
        found = credit_ledger(
            self.classifier,
            x,
            start,
            self.target,
            self.head,
            steps=self.settings.steps,
            error=self.settings.error,
            limit=self.settings.limit,
            **self._running("ledger"),
        )
        exact = exact_split(self.classifier, self.trace, self.target).as_dict() if self.head == "main" else None
        return {"baseline": self.settings.baseline, **found.as_dict(), "exact": exact}

    def ablation(self) -> dict[str, Any]:
        """Every branch switched off in turn."""
        fill = self.settings.fill
        means = fill_means(self.classifier, self.classifier.preprocessing(self.photo.image, self.photo.square), fill)
        found = sweep(self.classifier, self.trace, fill, means, **self._running("ablation"))
        rows = found.as_dict(self.target, self.classifier.trained_heads)
        return {"fill": found.fill, "seconds": round(found.seconds, 4), "heads": rows}


def _network(classifier: Classifier) -> dict[str, Any]:
    checkpoint = classifier.checkpoint
    return {
        "checkpoint": checkpoint.name,
        "sha256": checkpoint.sha256,
        "source": checkpoint.source,
        "spec": checkpoint.spec.name,
        "classes": checkpoint.spec.classes,
        "labels": [checkpoint.label(index).words for index in range(checkpoint.spec.classes)],
        "heads": list(classifier.heads),
        "heads_trained": list(classifier.trained_heads),
        "preprocessing": {**asdict(classifier.preprocessing), "words": classifier.preprocessing.words},
        "device": str(classifier.device),
        "precision": classifier.precision,
        "temperatures": dict(classifier.temperatures),
    }


def _image(classifier: Classifier, photo: Photo) -> dict[str, Any]:
    width, height = photo.size
    view = asdict(classifier.preprocessing.view(photo.size, photo.square))
    square = None if photo.square is None else square_text(photo.square)
    return {"sha256": photo.sha256, "width": width, "height": height, "view": view, "square": square}


def _heads(classifier: Classifier, trace: Trace) -> dict[str, Any]:
    """The five best classes of every head; none of a head that was never trained: its logits are noise."""
    trained, after = classifier.trained_heads, head_modules(classifier.checkpoint.spec)
    return {
        head: {
            "after": after[head],
            "trained": head in trained,
            "top": [asdict(answer) for answer in classifier.top(trace.logits(head)[0], head)]
            if head in trained
            else [],
        }
        for head in classifier.heads
    }


def _strongest(block: BlockTrace) -> dict[BranchKind, Atlas]:
    """Every branch's strongest channels, strongest first, on one scale for the module."""
    scale = full_scale(block.output[0].numpy())
    atlases = {}
    for kind, branch in block.branches.items():
        values = branch.output[0].numpy()
        order = channel_order(channel_stats(values), "mean")[:CHANNELS_SHOWN]
        atlases[kind] = make_atlas(values[order], columns=COLUMNS["overview"], scale=scale)
    return atlases


def _every_channel(block: BlockTrace) -> dict[str, Atlas]:
    """The module's six convolutions, every channel in its place, each convolution on its own scale."""
    return {unit: make_atlas(block.node(unit)[0].numpy(), columns=COLUMNS["module"]) for unit in UNITS}


def _module(block: BlockTrace, atlases: Mapping[BranchKind, Atlas]) -> dict[str, Any]:
    branches = {}
    for kind, branch in block.branches.items():
        stats = channel_stats(branch.output[0].numpy())
        strongest: Sequence[int] = channel_order(stats, "mean")[:5].tolist()
        branches[kind] = {
            "channels": len(stats.mean),
            "dead": stats.dead,
            "mean": float(stats.mean.mean()),
            "max": float(stats.max.max()),
            "strongest": list(strongest),
        }
    return {
        "module": block.name,
        "output": list(block.output.shape[1:]),
        "colours_end": atlases["1x1"].scale,
        "branches": branches,
    }
