"""Teach mode: one true sentence under each figure that says what it means and why the paper did it so.

`LESSONS` holds every sentence with its source; pages draw one with `note("figure")` below the figure. What a figure
shows, with the photo's numbers, is said by the sentence under its heading; what stands here is true for any photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import streamlit as st

from app.state import session
from app.state.options import TEACH
from app.templates import render
from app.widgets import shown_value
from inception_model.analysis.receptive_field import receptive_field
from inception_model.architecture.variants import get_spec
from inception_model.cost.report import compute_report
from inception_model.drawing.numbers import amount


@dataclass(frozen=True)
class Lesson:
    """A sentence or two, and where they come from. Numbers of the paper's network stand as `{names}` of `numbers`."""

    text: str
    source: str

    @property
    def sentence(self) -> str:
        """The text with its numbers."""
        return self.text.format(**numbers())


LESSONS: dict[str, Lesson] = {
    # Look
    "heads": Lesson(
        "Two auxiliary classifiers, after {aux1} and {aux2}, were added so that gradients reach the lower modules in "
        "training; each loss counts 0.3, and the paper drops both at inference.",
        "Paper, section 5",
    ),
    "map": Lesson(
        "An optimal sparse structure is approximated by dense parts: filters of three sizes and a pool side by side, "
        "concatenated; {modules} such modules stand on each other.",
        "Paper, section 4",
    ),
    "contact-sheet": Lesson(
        "The contest scored five guesses per picture: seven networks, averaged over 144 crops each, missed with 6.67% "
        "of them. Here one network sees one view.",
        "Paper, section 7, Tables 2 and 3",
    ),
    "beside": Lesson(
        "The same weights answer both photos: on one scale, every difference between the two sides comes from the "
        "photos alone.",
        "Paper, Figure 3",
    ),
    # Module
    "module": Lesson(
        "The 1×1 reductions leave few channels for the expensive 3×3 and 5×5 filters, and each has a ReLU of its own: "
        "they save computation and add depth.",
        "Paper, section 4",
    ),
    "channel": Lesson(
        "In theory a 5×5 unit sees {field_3a} pixels across in 3a and {field_4d} in 4d, more than the picture has; "
        "most of its answer comes from near the centre.",
        "Paper, section 4; Luo et al. 2016",
    ),
    "profiles": Lesson(
        "What all branches see at one place is concatenated into one vector, so that the next module can combine "
        "features of several sizes at once.",
        "Paper, section 4",
    ),
    "bench": Lesson(
        "Earlier models handled scale with fixed Gabor filters of several sizes. In Inception all filters are learned: "
        "what they prefer can only be measured.",
        "Paper, section 2",
    ),
    "circuit": Lesson(
        "A 1×1 reduction mixes the input's channels before the larger filter sees them: multiplied out, the two give "
        "one kernel for each input channel.",
        "Paper, section 4",
    ),
    "branches": Lesson(
        "The paper expects features to spread out in space with depth, hence more 3×3 and 5×5 filters there; it does "
        "not say that branches specialise.",
        "Paper, section 4",
    ),
    "ablation": Lesson(
        "Branches meet only in the concatenation, so each is a route of its own: without it one sees what the others "
        "cannot replace.",
        "Paper, Figure 2(b)",
    ),
    # Heads
    "timeline": Lesson(
        "Shallower networks do well, so the paper expects features in the middle to be discriminative already; heads "
        "placed there ask for it and let one see it.",
        "Paper, section 5",
    ),
    "probes": Lesson(
        "A probe is trained when the network is finished and cannot change it: it tells what can be read off linearly "
        "at a depth, not what is used.",
        "Alain and Bengio 2016",
    ),
    "divergence": Lesson(
        "The measure is symmetric and never above ln 2 = {ln2}, so pairs can be compared; heads that name one class "
        "may still lie far apart.",
        "Lin 1991",
    ),
    "head-maps": Lesson(
        "GradCAM weighs a module's channels by their mean gradient. A head knows only what lies before it: aux1's map "
        "shows what is settled by {aux1}.",
        "Selvaraju et al. 2016, section 3; the paper's Figure 3",
    ),
    # Why
    "attribution": Lesson(
        "A map can look convincing and yet be independent of the weights and of the training data: looking is no test, "
        "so a badge with checks hangs on it.",
        "Adebayo et al. 2018, section 1",
    ),
    "trust": Lesson(
        "With weights randomised from the top down, a map of what was learned must change: gradient and GradCAM do, "
        "guided backprop hardly does.",
        "Adebayo et al. 2018, section 3",
    ),
    "gallery": Lesson(
        "A gradient tells what a tiny change would do; a credit, what the whole step from a baseline did. Where a "
        "score saturates, the two part.",
        "Sundararajan et al. 2017, section 2",
    ),
    "score-sum": Lesson(
        "The paper put average pooling where others had fully connected layers and gained about 0.6% top-1; thanks to "
        "it the score is a plain sum.",
        "Paper, section 5",
    ),
    "ledger": Lesson(
        "All that reaches the head passes through every one of these modules, and credit along the path from the "
        "baseline is conserved: each row has one sum.",
        "Dhamdhere et al. 2018; the paper's Figure 3",
    ),
    "sweep": Lesson(
        "A trained network without a branch is not a network trained without it: this shows what it relies on, not "
        "what the architecture needs.",
        "Paper, Figure 2(b)",
    ),
    # Fool
    "disturbances": Lesson(
        "Convolution alone would only move its map along with the photo; strides and pools keep every second value, so "
        "a shift by two pixels may already turn an answer.",
        "Azulay and Weiss 2019",
    ),
    "adversarial": Lesson(
        "The paper's first author had reported such changes the winter before it: too small to be seen, they turn "
        "almost any answer, often that of other networks too.",
        "Szegedy et al. 2014",
    ),
    "adversarial-depth": Lesson(
        "Every module passes the difference on, and what cannot be seen in the photo becomes a large part of what the "
        "last modules compute.",
        "Liao et al. 2018",
    ),
    # Vote
    "votes": Lesson(
        "The paper calls its cropping more aggressive than needed: the benefit of more crops becomes marginal after a "
        "reasonable number of them are present.",
        "Paper, section 7",
    ),
    # Cost
    "savings": Lesson(
        "Without its 1×1 reduction the 5×5 branch of 4d would need {naive_4d} MACs instead of {real_4d}; such savings "
        "pay for more depth and width.",
        "Paper, section 4",
    ),
    "network": Lesson(
        "The paper set a budget of 1.5 billion multiply-adds at inference, so that the network could be put to use; "
        "Table 1's widths come to {macs}.",
        "Paper, section 1",
    ),
    "module-cost": Lesson(
        "A reduction is paid once and makes all that follows cheaper: in 3a, {in_3a} channels become {reduce_3a} "
        "before the 5×5, {times_3a}× fewer MACs in that branch.",
        "Paper, section 4 and Table 1",
    ),
    "lab": Lesson(
        "The widths are knobs that balance computation; the paper says that finding a good balance still takes careful "
        "manual design.",
        "Paper, section 4",
    ),
    "measured": Lesson(
        "Time also depends on memory and on how regular the work is: the paper chose dense parts because computers are "
        "slow on sparse ones.",
        "Paper, section 3",
    ),
    "table-1": Lesson(
        "{layers} layers with parameters, {with_pools} with the pools between modules: a module counts as two. The "
        "paper's reduce columns count the 1×1 filters before 3×3 and 5×5.",
        "Paper, section 5 and Table 1",
    ),
    # Model
    "accuracy": Lesson(
        "On ImageNet one network of the paper, shown one crop, missed with all five guesses in 10.07% of cases: "
        "1000 classes and other photos, so not to be compared directly.",
        "Paper, section 7 and Table 3",
    ),
    "calibration": Lesson(
        "Deep networks tend to be surer than they are right; label smoothing can turn that round. One number per head, "
        "its temperature, repairs most of it and moves no class.",
        "Guo et al. 2017, sections 3 and 4.2",
    ),
    "training-curve": Lesson(
        "The authors later found that auxiliary heads hardly speed up the start of training: near its end the network "
        "with them overtakes the one without.",
        "Szegedy et al. 2016, section 4",
    ),
    "benchmark": Lesson(
        "Covered pixels make pictures unlike any photo, which alone lowers scores; ROAD fills gaps from their "
        "surroundings, and random maps show what is left of that.",
        "Petsiuk et al. 2018 and Rong et al. 2022",
    ),
    "model-card": Lesson(
        "Data and recipe decide as much as the drawing: the paper's weights are averages over training by "
        "asynchronous SGD, momentum 0.9, learning rate 4% lower every 8 epochs.",
        "Paper, section 6",
    ),
}
"""Figure -> its lesson. A figure is drawn in one or more places; every key is used somewhere."""


@cache
def numbers() -> dict[str, str]:
    """What the sentences say about the paper's network (224 x 224, 1000 classes), by arithmetic on its widths."""
    spec = get_spec("paper")
    report = compute_report(spec)
    five = {name: next(b for b in report.of_module(name) if b.branch == "5x5") for name in ("3a", "4d")}
    block = spec.block("3a")
    weighted = 1 + 2 + 2 * len(spec.blocks) + 1  # conv1, conv2 and its reduction, two per module, linear
    pools = 2 + len(spec.pools) + 1  # two in the stem, those between modules, the average
    return {
        **{aux.name: aux.after for aux in spec.aux},
        "modules": str(len(spec.blocks)),
        "field_3a": f"{receptive_field(spec, '3a').size:.0f}",
        "field_4d": f"{receptive_field(spec, '4d').size:.0f}",
        "ln2": f"{math.log(2):.2f}",
        "naive_4d": amount(five["4d"].naive.macs),
        "real_4d": amount(five["4d"].cost.macs),
        "macs": amount(report.total.macs),
        "in_3a": str(block.in_channels),
        "reduce_3a": str(block.five_reduce),
        "times_3a": f"{five['3a'].naive.macs / five['3a'].cost.macs:.1f}",
        "layers": str(weighted),
        "with_pools": str(weighted + pools),
    }


def is_on() -> bool:
    """Whether the sentences are shown."""
    return session.option(TEACH)


def note(figure: str) -> None:
    """The lesson of a figure, below it: nothing while teach mode is off. Of two photos, it stands below both."""
    place, lesson = st.empty(), LESSONS[figure]  # an empty place, so that what follows stays where it was
    if is_on():
        place.html(render("teach.html", lesson=lesson))


def switch(key: str, label: str, help: str | None = None) -> None:
    """A switch for the sentences; several may stand on a page, each with a key of its own."""

    def changed() -> None:
        session.set_option(TEACH, st.session_state[key])

    shown_value.draw(st.toggle, label, key, is_on(), on_change=changed, help=help)
