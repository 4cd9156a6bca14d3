"""Every choice on a page that outlives a page change: its name, its type and its default, said once.

`session.option(WHY_ENDS)` reads one and `session.set_option` keeps it. A name begins with the page's. Where the default
depends on the network or the photo it is None here, and who asks says what stands for it (`WHY_HEAD.otherwise(...)`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from inception_model.analysis.ablation import DEFAULT_FILL, Fill
from inception_model.analysis.quadrature import LIMIT, ROW_ERROR, STEPS
from inception_model.architecture.spec import BranchKind, HeadName
from inception_model.attribution.options import Option as MethodOption
from inception_model.circuits.concepts import CONCEPTS
from inception_model.drawing.atlas import Scale, Sort
from inception_model.images.baselines import DEFAULT_BASELINE
from inception_model.images.crops import CROPS
from inception_model.images.disturbances import DISTURBANCES
from inception_model.images.stimuli import FAMILIES, make
from inception_model.inference.targets import AUTO
from inception_model.robustness.pgd import DEFAULT_NORM, Norm
from inception_model.visualization.settings import STEPS as PICTURE_STEPS

T = TypeVar("T", covariant=True)
D = TypeVar("D")


@dataclass(frozen=True)
class Option(Generic[T]):
    """A choice: the name under which it is kept, and what holds as long as nothing was chosen."""

    name: str
    default: T

    @property
    def state_name(self) -> str:
        """Its name among everything that the session keeps."""
        return f"option.{self.name}"

    def otherwise(self: Option[D | None], default: D) -> Option[D]:
        """The same choice with a default that the network or the photo decides."""
        return Option(self.name, default)

    def beside(self, key: str) -> Option[T]:
        """The same choice for one of two photos (`Panel.key`); the first one's is the choice itself."""
        return dataclasses.replace(self, name=f"{key}-{self.name}") if key else self


TEACH = Option("teach", True)
RAW = Option("raw", False)
"""Plain softmax instead of probabilities at the checkpoint's temperatures."""
TOUR_STEP: Option[int | None] = Option("tour.step", None)
"""The step of the tour that is shown; 0: no tour, None: not offered yet."""
TOUR_ASKED = Option("tour.asked", False)
STORY_WANTED: Option[str | None] = Option("story.wanted", None)
"""The story that is being looked for."""
STORY_TOLD: Option[Any] = Option("story.told", None)
"""(name, what was found, the network it was found with) of the story that is told."""
STORY_STEP = Option("story.step", 0)
PRESENT = Option("present", False)
"""Whether the pages are shown to a class."""

LOOK_CONTACT_SHEET = Option("look.sheet", False)
LOOK_SQUARE: Option[str | None] = Option("look.square", None)
"""`X,Y,SIDE`: what the network is shown of the photo; None: the usual centre. Of the second photo: `beside`."""
LOOK_COLOUR: Option[str | None] = Option("look.colour", None)

DEFAULT_ORDER: Sort = "max"
"""Of a module's channels, also where there is no credit to order them by."""
MODULE_SORT: Option[Sort | Literal["credit"]] = Option("module.sort", DEFAULT_ORDER)
MODULE_SCALE: Option[Scale] = Option("module.scale", "channel")
MODULE_SHOW: Option[Literal["photo", "tiles"]] = Option("module.show", "photo")
"""Of a module's channels: their activation on the photo, or what they look for."""
MODULE_OPENED: Option[tuple[str, ...]] = Option("module.opened", ())
MODULE_LAYERS: Option[tuple[str, ...]] = Option("module.layers", ("map", "receptive field"))
MODULE_SPOT: Option[tuple[tuple[str, str], int, int] | None] = Option("module.spot", None)
"""(photo's hash, module), row and column that are looked at; None: the channel's peak."""
MODULE_COMPUTATION = Option("module.computation", False)
MODULE_FIGURE: Option[tuple[str, tuple[str, int]] | None] = Option("module.figure", None)
"""What the figure on screen was drawn from, and the node and channel that were outlined in it."""
MODULE_CIRCUIT = Option("module.circuit", False)
PictureKind = Literal["channel", "negative", "diverse"]
MODULE_PICTURE: Option[PictureKind] = Option("module.picture", "channel")
"""What is made of the picked channel: what raises it, what lowers it, or several different ones that raise it."""
MODULE_PICTURE_STEPS = Option("module.picture.steps", PICTURE_STEPS)

MODULE_CONCEPTS = Option("module.concepts", False)
CONCEPT_COUNT = Option("module.concepts.count", CONCEPTS)
ConceptSource = Literal["photo", "index"]
CONCEPT_SOURCE: Option[ConceptSource] = Option("module.concepts.of", "photo")
"""Whose activations are split into concepts: the photo's, or those of an indexed data set's images."""

SEARCH_CLASS: Option[int | None] = Option("search.class", None)
"""The class whose channels are searched; None: none."""
SEARCH_HEAD: Option[HeadName | None] = Option("search.head", None)
EVERYWHERE = "all"
SEARCH_MODULE: Option[str | None] = Option("search.module", None)

BENCH_OPEN = Option("bench.open", False)
BENCH_FAMILY = Option("bench.family", "grating")

ABLATION_OFF: Option[tuple[str, ...]] = Option("ablation.off", ())
ABLATION_FILL: Option[Fill] = Option("ablation.fill", DEFAULT_FILL)

HEADS_CLASS: Option[int | str] = Option("heads.class", AUTO)
SUBJECTS: dict[str, str] = {"own": "each head's own answer", "followed": "the followed class"}
HEADS_SUBJECT = Option("heads.subject", "own")
"""What the maps of the page Heads are about, one of SUBJECTS."""
HEADS_SHARED = Option("heads.shared", False)

MODEL_CLASSES_HEAD: Option[str | None] = Option("model.classes.head", None)
MODEL_BENCHMARK_HEAD: Option[str | None] = Option("model.benchmark.head", None)

WHY_HEAD: Option[HeadName | None] = Option("why.head", None)
WHY_TARGET = Option("why.target", AUTO)
WHY_CLASS: Option[str | None] = Option("why.class", None)
WHY_MINUS: Option[str | None] = Option("why.minus", None)
WHY_METHOD = Option("why.method", "gradcam")
WHY_MODULE: Option[str | None] = Option("why.module", None)
WHOLE = "whole module"
WHY_BRANCH: Option[BranchKind | str] = Option("why.branch", WHOLE)
WHY_BASELINE = Option("why.baseline", DEFAULT_BASELINE)
ENDS: dict[str, str] = {"99%": "99% of values", "largest": "largest value"}
WHY_ENDS = Option("why.ends", "99%")
"""Where a map's colours end, one of ENDS."""
WHY_TRUST = Option("why.trust", False)
"""Whether the checks of the map stand unfolded beside it."""
WHY_GALLERY = Option("why.gallery", "methods")
WHY_SHARED = Option("why.shared", False)
WHY_METHODS: Option[tuple[str, ...]] = Option(
    "why.methods", ("saliency", "input_x_gradient", "guided_backprop", "gradcam")
)
"""What the gallery shows at first: four that differ, each quick."""
WHY_BESIDE_SHARED = Option("why.beside.shared", True)
WHY_LEDGER_STEPS = Option("why.ledger.steps", STEPS)
WHY_LEDGER_ERROR = Option("why.ledger.error", ROW_ERROR)
"""Percent below which every row's residual is to come."""
WHY_LEDGER_LIMIT = Option("why.ledger.limit", LIMIT)
"""Most gradients for that."""

VOTE_HEAD: Option[HeadName | None] = Option("vote.head", None)
VOTE_VIEWS = Option("vote.views", len(CROPS))
VOTE_MODELS: Option[tuple[str, ...]] = Option("vote.models", ())
"""Names of the checkpoints that vote beside the chosen one."""

FOOL_HEAD: Option[HeadName | None] = Option("fool.head", None)
FOOL_NORM: Option[Norm] = Option("fool.norm", DEFAULT_NORM)
FOOL_TOWARDS: Option[int | str] = Option("fool.towards", "any")
"""The class that an answer is to become."""
FOOL_BOUND: Option[int | str] = Option("fool.bound", "smallest")
"""Of the change, in levels of 255."""

REPORT_PRIVATE = Option("report.private", False)


def of_method(method: str, option: MethodOption) -> Option[Any]:
    """The choice of one of a method's own options; its default is the method's."""
    return Option(f"why.{method}.{option.name}", option.default)


def of_disturbance(name: str) -> Option[float]:
    """The choice of a disturbance's strength; by itself it leaves the photo as it is."""
    return Option(f"fool.{name}", DISTURBANCES[name].clean)


def of_stimulus(family: str, name: str) -> Option[Any]:
    """The choice of a parameter (or the colour `axis`) of a stimulus, for each family its own; the family's default."""
    value = getattr(make(family), name)
    return Option(f"bench.{family}.{name}", float(value) if name in FAMILIES[family].RANGES else value)


def tuned_along(family: str) -> Option[str]:
    """Along which parameter of a stimulus the tuning curve runs; the family's first."""
    return Option(f"bench.{family}.along", next(iter(FAMILIES[family].RANGES)))
