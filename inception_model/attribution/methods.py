"""METHODS: every attribution method as one row, read by the library, the command line, the page and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

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
    function of the options and the image's side in pixels; `backward`: whether each is also differentiated.
    `effort`: how much longer an image takes than by a plain gradient.
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
    backward: bool = True
    complete: bool = False
    effort: Callable[[Options], float] = lambda options: 1.0
    published: Callable[[Tensor], Tensor] = signed_sum

    @property
    def defaults(self) -> dict[str, Any]:
        """The options as they are when nothing is chosen."""
        return {option.name: option.default for option in self.options}

    def cost(self, options: Options | None = None, side: int = DEFAULT_SIZE) -> float:
        """Forward passes of one image that this takes the time of; a backward pass counts as one more."""
        chosen = self.defaults | dict(options or {})
        return float(self.images(chosen, side) * (2 if self.backward else 1) * self.effort(chosen))

    def promises_sum(self, spec: NetworkSpec, layer: Part | None) -> bool:
        """Whether the values must add up here: through a branch only part of the score flows, and DeepLift has no
        rule for local response normalisation."""
        through = layer is None or layer.branch is None
        return self.complete and through and not (self.name == "deeplift" and spec.stem.lrn is not None)


def _windows(options: Options, side: int) -> int:
    along = -(-max(0, side - options["window"]) // options["stride"]) + 1
    return int(along**2) + 1


_STEPS = Option("steps", 50, "points on the straight path from the baseline", 2, 500)
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
    ),
    Method(
        "input_x_gradient",
        "Input × gradient",
        "gradient",
        "The gradient times the pixel's distance from the mean colour: a first guess at what each pixel adds.",
        gradients.input_x_gradient,
    ),
    Method(
        "integrated_gradients",
        "Integrated gradients",
        "path",
        "What each pixel adds on the way from the baseline to the image; all values together are the score minus the "
        "baseline's score.",
        gradients.integrated_gradients,
        lambda options, side: int(options["steps"]),
        ("baseline",),
        (_STEPS, _PRECISION),
        complete=True,
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
    ),
    Method(
        "guided_backprop",
        "Guided backprop",
        "gradient",
        "Sharp edges that excite the network, but hardly different for another class or untrained weights: look at it "
        "as a picture of the image, not as evidence for the class.",
        hooked.guided_backprop,
    ),
    Method(
        "deconvolution",
        "Deconvolution",
        "gradient",
        "What the network's filters would draw if they were run backwards from the class; as with guided backprop, "
        "much of it does not depend on the class.",
        hooked.deconvolution,
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
        backward=False,
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
        backward=False,
    ),
    Method(
        "gradcam",
        "GradCAM",
        "layer",
        "Where the channels that speak for the class are active, in the coarse positions of one module or branch; at "
        "5b the values add up to the logit without its bias.",
        hooked.gradcam,
        needs=("layer",),
    ),
    Method(
        "guided_gradcam",
        "Guided GradCAM",
        "layer",
        "Guided backprop where GradCAM is positive: fine detail at the places of the class.",
        hooked.guided_gradcam,
        lambda options, side: 2,
        ("layer",),
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
        (_STEPS,),
        complete=True,
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
        effort=lambda options: COMPOSITES[options["composite"]].effort,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
"""Every method by name."""
