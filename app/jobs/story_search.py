"""What the stories are about, looked for photo by photo with the same questions that the pages ask.

Every answer is one that a page asks for as well, remembered under the page's own key: what was looked for once is there
when a story leads to it. A search raises NotYetError while the answer that it needs next is on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.jobs.ablation import sweep_job
from app.jobs.attribution import Question, ask, attribution_job, check_job
from app.jobs.background import Job
from app.jobs.first_answers import first_answers_job
from app.state import network, options, photos, session
from app.state.panel import Panel
from inception_model.analysis.ablation import DEFAULT_FILL, Sweep
from inception_model.architecture.spec import BRANCHES, BranchKind, HeadName
from inception_model.attribution import METHODS, Attribution, allowed_layers
from inception_model.cost.report import BranchCost, compute_report
from inception_model.images.baselines import DEFAULT_BASELINE
from inception_model.inference.classifier import Answer
from inception_model.inference.targets import Target
from inception_model.trust import Randomisation

SUSPECTS = ("guided_backprop", "deconvolution", "guided_gradcam")
"""Methods that are known for maps which hardly depend on the weights (Adebayo et al. 2018): whether one does so here
and now is measured."""
WITNESS = "gradcam"
"""The method that is put to the same test afterwards."""

Asker = Callable[[Panel | None, Job], Any]
"""What answers a job about a panel's photo (None: the job's key says which); raises NotYetError while it can't."""


class NotYetError(Exception):
    """The answer that the search needs next is on its way, or its work was cancelled."""


@dataclass(frozen=True)
class Disagreement:
    """Heads that say different things about a photo; `says` in the order of depth."""

    sha256: str
    says: dict[HeadName, Answer]


@dataclass(frozen=True)
class BranchOff:
    """A branch without which the deepest head says something else; `change`: of the first answer's score, in logits."""

    sha256: str
    head: HeadName
    module: str
    branch: BranchKind
    before: Answer
    after: Answer
    change: float


@dataclass(frozen=True)
class Saving:
    """The branch whose 1x1 reduction saves most, and its strongest channel on a photo."""

    sha256: str
    cost: BranchCost
    channel: int


@dataclass(frozen=True)
class Untrusted:
    """A map that hardly changes when the network forgets what it learned; `witness`: a map that passes, if one does."""

    sha256: str
    question: Question
    found: Randomisation
    witness: tuple[Question, Randomisation] | None


Found = Disagreement | BranchOff | Saving | Untrusted


def film() -> list[Panel]:
    """Where a search looks, one after the other: the chosen photo, the visitor's own, the samples; no stimulus."""
    chosen, candidates = photos.first_photo(), [*photos.uploads(), *photos.shipped()]
    first = [photo for photo in candidates if photo.sha256 == chosen.sha256]
    hashes = dict.fromkeys(photo.sha256 for photo in (*first, *candidates))
    by_hash = {photo.sha256: photo for photo in candidates}
    return [Panel(photos.aimed(by_hash[sha256])) for sha256 in hashes]


def disagreement(panel: Panel, asked: Asker) -> Disagreement | None:
    """Heads with different first answers."""
    says = asked(None, first_answers_job(panel.photo))
    return Disagreement(panel.photo.sha256, says) if len({a.index for a in says.values()}) > 1 else None


def branch_off(panel: Panel, asked: Asker) -> BranchOff | None:
    """Of the branches without which the deepest head's answer is another one, the one that its score needs most."""
    found: Sweep = asked(panel, sweep_job(panel, DEFAULT_FILL))
    head, shown = network.trained_heads()[-1], network.classifier()
    before = found.before.of(head)[0]
    index = int(before.argmax())
    after = found.after[head][:, :, 0]  # (M, 4, K)
    change = after[..., index] - before[index]
    change = change.masked_fill(after.argmax(dim=-1) == index, float("inf"))
    place = int(change.argmin())
    row, column = divmod(place, len(BRANCHES))
    if change[row, column] == float("inf"):
        return None
    return BranchOff(
        panel.photo.sha256,
        head,
        found.modules[row],
        BRANCHES[column],
        shown.top(before, head, 1)[0],
        shown.top(after[row, column], head, 1)[0],
        float(change[row, column]),
    )


def saving(panel: Panel, asked: Asker) -> Saving | None:
    """The branch with the largest saving, where one of its channels answers to the photo at all."""
    report = compute_report(network.spec(), network.checkpoint().preprocessing.size)
    cost = max(report.branches, key=lambda row: row.naive.macs / row.cost.macs)
    peaks = panel.trace().block(cost.module).branches[cost.branch].output[0].amax(dim=(1, 2))
    return Saving(panel.photo.sha256, cost, int(peaks.argmax())) if float(peaks.max()) > 0 else None


def untrusted(panel: Panel, asked: Asker) -> Untrusted | None:
    """The first suspect whose map stays alike with random weights."""
    for method in SUSPECTS:
        question, found = _randomised(panel, method, asked)
        if found.passed is False:
            other, witness = _randomised(panel, WITNESS, asked)
            return Untrusted(panel.photo.sha256, question, found, (other, witness) if witness.passed else None)
    return None


def _randomised(panel: Panel, method: str, asked: Asker) -> tuple[Question, Any]:
    """The question that the page Why asks with this method, all else as it stands there, and its check."""
    head = network.trained_heads()[-1]
    target = Target.parse("auto", network.checkpoint().labels, panel.trace().logits(head)[0])
    layer = allowed_layers(network.service().classifier, head)[-1]
    own = {option.name: session.option(options.of_method(method, option)) for option in METHODS[method].options}
    question = ask(method, head, target, layer, DEFAULT_BASELINE, own)
    attribution: Attribution = asked(panel, attribution_job(panel, question))
    return question, asked(panel, check_job(panel, question, attribution, Randomisation.name))
