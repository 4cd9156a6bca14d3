"""METHODS: every attribution method as one row, read by the library, the command line, the page and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from ..analysis.quadrature import ADAPTIVE, ERROR, LIMIT, RULES, START, STEPS
from ..architecture.address import Part
from ..architecture.spec import DEFAULT_SIZE, NetworkSpec
from . import gradients, hooked
from .lrp.composites import COMPOSITES
from .lrp.method import THROUGH, propagate
from .options import Option
from .task import Task

Family = Literal["gradient", "path", "perturbation", "layer", "relevance"]
Need = Literal["baseline", "layer"]
Options = Mapping[str, Any]
DEFAULT_METHOD = "integrated_gradients"
"""What explains where nobody chose."""


def signed_sum(values: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W): what all colours or channels add up to at a position."""
    return values.sum(1)


def largest_slope(values: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W): the largest absolute value over the colours (Simonyan et al. 2013, section 3.1)."""
    return values.abs().amax(1)


@dataclass(frozen=True)
class Method:
    """A way to attribute a score to an image.

    `needs`: what must be chosen besides head and target. `images`: how many images the network sees per baseline, as a
    function of the options and the image's side in pixels (at most, where the method decides). `pace`: what the method
    takes once and per image, in forward passes of one image (`scripts/method_costs.py` measures both); `effort`: how
    much longer that is with these options.
    `complete`: the values are meant to add up to F(x) - F(baseline). `reading`: how to read the map. `published`: how
    the method's paper makes a map (N, H, W) of the values (N, C, H, W), for measures that are compared with others'.
    """

    name: str
    label: str
    family: Family
    reading: str
    run: Callable[[Task], Tensor]
    images: Callable[[Options, int], int] = lambda options, side: 1
    needs: tuple[Need, ...] = ()
    options: tuple[Option, ...] = ()
    pace: tuple[float, float] = (0.0, 2.0)
    complete: bool = False
    effort: Callable[[Options], float] = lambda options: 1.0
    published: Callable[[Tensor], Tensor] = signed_sum

    @property
    def defaults(self) -> dict[str, Any]:
        """The options as they are when nothing is chosen."""
        return {option.name: option.default for option in self.options}

    def cost(self, options: Options | None = None, side: int = DEFAULT_SIZE, images: int | None = None) -> float:
        """Forward passes of one image that this takes the time of, per baseline; of so many `images` if they are known,
        else at most."""
        chosen = self.defaults | dict(options or {})
        once, each = self.pace
        return (once + each * (self.images(chosen, side) if images is None else images)) * self.effort(chosen)

    def promises_sum(self, spec: NetworkSpec, layer: Part | None) -> bool:
        """Whether the values must add up here: through a branch only part of the score flows, and DeepLift has no
        rule for local response normalisation."""
        through = layer is None or layer.branch is None
        return self.complete and through and not (self.name == "deeplift" and spec.stem.lrn is not None)


def _windows(options: Options, side: int) -> int:
    along = -(-max(0, side - options["window"]) // options["stride"]) + 1
    return int(along**2) + 1


_RULE_HELP = "how the path is integrated: midpoints of equal steps, Gauss-Legendre (captum's), "
_RULE = Option("rule", "midpoint", _RULE_HELP.rstrip(", "), choices=tuple(RULES))
_RULES = Option(
    "rule",
    "midpoint",
    _RULE_HELP + "or adaptive: steps are halved where the sum misses most, until its error is small enough",
    choices=(*RULES, ADAPTIVE),
)
_STEPS = Option("steps", STEPS, "points on the straight path from the baseline", 2, 1000, only=tuple(RULES))
_ERROR = Option("error", ERROR, "percent that the sum of an adaptive rule may be off", 0.05, 50, only=(ADAPTIVE,))
_LIMIT = Option("limit", LIMIT, "most gradients of an adaptive rule", START, 1000, only=(ADAPTIVE,))
_SAMPLES = Option("samples", 25, "noisy copies of the image", 1, 500)
_SIGMA = Option("sigma", 0.15, "standard deviation of the noise, as a share of the image's range of values", 0.0, 1.0)
_SEED = Option("seed", 0, "start of the random numbers: the same seed gives the same map", 0, 2**31 - 1)
_PRECISION = Option(
    "precision", "network", "bfloat16 is faster where the processor has it", choices=("network", "bfloat16")
)

_ROWS = (
    Method(
        "saliency",
        "Saliency (gradient)",
        "gradient",
        "Red pixels raise the score when they get brighter, blue ones when they get darker; this holds for tiny "
        "changes only and says nothing about how much of the score is there already.",
        gradients.gradient,
        published=largest_slope,
        pace=(0.0, 3.9),
    ),
    Method(
        "input_x_gradient",
        "Input × gradient",
        "gradient",
        "The gradient times the pixel's distance from the mean colour: a first guess at what each pixel adds.",
        gradients.input_x_gradient,
        pace=(0.0, 3.9),
    ),
    Method(
        "integrated_gradients",
        "Integrated gradients",
        "path",
        "What each pixel adds on the way from the baseline to the image; all values together are the score minus the "
        "baseline's score.",
        gradients.integrated_gradients,
        lambda options, side: int(options["limit" if options["rule"] == ADAPTIVE else "steps"]),
        ("baseline",),
        (_RULES, _STEPS, _ERROR, _LIMIT, _PRECISION),
        complete=True,
        pace=(6.0, 1.22),
    ),
    Method(
        "smoothgrad",
        "SmoothGrad",
        "gradient",
        "The gradient averaged over noisy copies of the image, so that what flickers cancels out.",
        gradients.smooth_gradient,
        lambda options, side: int(options["samples"]),
        (),
        (_SAMPLES, _SIGMA, _SEED),
        pace=(1.0, 1.47),
    ),
    Method(
        "gradient_shap",
        "GradientSHAP",
        "path",
        "Like integrated gradients, at random places of the path and with noise: the values add up to the score minus "
        "the baseline's score on average over many samples only.",
        gradients.gradient_shap,
        lambda options, side: int(options["samples"]),
        ("baseline",),
        (_SAMPLES, Option("sigma", 0.0, _SIGMA.help, 0.0, 1.0), _SEED),
        pace=(3.5, 1.8),
    ),
    Method(
        "deeplift",
        "DeepLift",
        "path",
        "What each pixel adds compared with the baseline, passed back layer by layer as shares of real differences "
        "instead of slopes; all values together are the score minus the baseline's score.",
        hooked.deep_lift,
        lambda options, side: 2,
        ("baseline",),
        complete=True,
        pace=(0.0, 7.5),
    ),
    Method(
        "guided_backprop",
        "Guided backprop",
        "gradient",
        "Sharp edges that excite the network, but hardly different for another class or untrained weights: look at it "
        "as a picture of the image, not as evidence for the class.",
        hooked.guided_backprop,
        pace=(0.0, 4.5),
    ),
    Method(
        "deconvolution",
        "Deconvolution",
        "gradient",
        "What the network's filters would draw if they were run backwards from the class; as with guided backprop, "
        "much of it does not depend on the class.",
        hooked.deconvolution,
        pace=(0.0, 4.0),
    ),
    Method(
        "occlusion",
        "Occlusion",
        "perturbation",
        "Red places lower the score when a square of the baseline covers them, blue ones raise it: measured, not "
        "inferred.",
        hooked.occlusion,
        _windows,
        ("baseline",),
        (
            Option("window", 32, "side of the square in pixels of the network's image", 1, 2048),
            Option("stride", 16, "pixels from one square to the next", 1, 512),
        ),
        pace=(0.0, 0.8),
    ),
    Method(
        "superpixels",
        "Superpixel ablation",
        "perturbation",
        "Each patch of similar colour is replaced by the baseline in turn: its value is how much the score falls "
        "without it.",
        hooked.superpixels,
        lambda options, side: int(options["segments"]) + 1,
        ("baseline",),
        (
            Option("segments", 50, "patches, about", 2, 500),
            Option("compactness", 10.0, "higher is squarer, lower follows colours", 0.01, 100.0),
        ),
        pace=(7.4, 0.45),
    ),
    Method(
        "gradcam",
        "GradCAM",
        "layer",
        "Where the channels that speak for the class are active, in the coarse positions of one module or branch; at "
        "5b the values add up to the logit without its bias.",
        hooked.gradcam,
        needs=("layer",),
        pace=(0.0, 1.1),
    ),
    Method(
        "guided_gradcam",
        "Guided GradCAM",
        "layer",
        "Guided backprop where GradCAM is positive: fine detail at the places of the class.",
        hooked.guided_gradcam,
        lambda options, side: 2,
        ("layer",),
        pace=(0.0, 3.0),
    ),
    Method(
        "layer_conductance",
        "Layer conductance",
        "layer",
        "How much of the difference from the baseline flows through each position of a module or branch; over a whole "
        "module the values add up to the score minus the baseline's score.",
        hooked.layer_conductance,
        lambda options, side: int(options["steps"]),
        ("baseline", "layer"),
        (_RULE, _STEPS),
        complete=True,
        pace=(3.8, 1.77),
    ),
    Method(
        "lrp",
        "LRP (relevance)",
        "relevance",
        "The score handed back layer by layer, each layer sharing it among its inputs by the composite's rule; what "
        'biases and stabilisers keep is counted, and with all of it the sum is the score. "Through" shows only what '
        "passes one module, branch or channel.",
        propagate,
        options=(
            Option("composite", next(iter(COMPOSITES)), "which rule each layer gets", choices=tuple(COMPOSITES)),
            THROUGH,
        ),
        pace=(0.0, 3.9),
        effort=lambda options: COMPOSITES[options["composite"]].effort,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
"""Every method by name."""
