"""Methods that captum computes, on twins of the network because it hooks them, and GradCAM, which needs no hooks."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import (
    Deconvolution,
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    GuidedGradCam,
    LayerConductance,
    Occlusion,
)
from skimage.segmentation import slic
from torch import Tensor, nn

from ..analysis.quadrature import Integration
from ..architecture.address import Part
from ..architecture.network import GoogLeNet, branch_unit
from .options import AttributionError
from .pairwise import with_pairwise_pools
from .task import Task

BATCH = 8
"""Images per pass of the perturbation methods and of layer conductance."""


def deep_lift(task: Task) -> Tensor:
    """DeepLift's rescale rule (Shrikumar et al. 2017): (1, 3, S, S)."""
    module = task.module(with_pairwise_pools(task.classifier.twin().network))
    # Where input and baseline differ by less than `eps`, captum takes the gradient; its own 1e-10 is 0 in float16.
    eps = max(1e-10, torch.finfo(task.classifier.dtype).tiny)
    return DeepLift(module, eps=eps).attribute(task.x, task.baseline)  # type: ignore[no-any-return]


def guided_backprop(task: Task) -> Tensor:
    """Springenberg et al. 2014: the gradient, with negative values stopped at every ReLU, (1, 3, S, S)."""
    return GuidedBackprop(task.module()).attribute(task.x)  # type: ignore[no-any-return]


def deconvolution(task: Task) -> Tensor:
    """Zeiler and Fergus 2013: ReLUs applied to the gradient instead of the activation, (1, 3, S, S)."""
    return Deconvolution(task.module()).attribute(task.x)  # type: ignore[no-any-return]


def occlusion(task: Task) -> Tensor:
    """Zeiler and Fergus 2013: the drop in score when a sliding square is replaced by the baseline, (1, 1, S, S)."""
    window, stride = task.options["window"], task.options["stride"]
    side = task.x.shape[-1]
    if window > side or stride > window:
        raise AttributionError(
            f"a window of {window} with stride {stride} leaves gaps or does not fit: allowed are windows up to {side} "
            "and strides up to the window"
        )
    values = Occlusion(task.module()).attribute(
        task.x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=task.baseline,
        perturbations_per_eval=BATCH,
    )
    return values[:, :1]  # type: ignore[no-any-return]  # one value per position: the window covers all colours


def superpixel_mask(task: Task) -> Tensor:
    """SLIC superpixels of the image as the network sees it: (1, 1, S, S) numbers from 0."""
    pixels = task.classifier.preprocessing.denormalise(task.x)[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    segments = slic(
        pixels.astype(np.float64),
        n_segments=task.options["segments"],
        compactness=task.options["compactness"],
        start_label=0,
    )
    return torch.from_numpy(np.asarray(segments, dtype=np.int64))[None, None].to(task.x.device)


def superpixels(task: Task) -> Tensor:
    """The drop in score when one superpixel at a time is replaced by the baseline, (1, 1, S, S)."""
    values = FeatureAblation(task.module()).attribute(
        task.x, baselines=task.baseline, feature_mask=superpixel_mask(task), perturbations_per_eval=BATCH
    )
    return values[:, :1]  # type: ignore[no-any-return]


def _part(task: Task) -> Part:
    assert task.layer is not None
    return task.layer


def gradcam(task: Task) -> Tensor:
    """Selvaraju et al. 2016, not rectified, before the sum over channels: (1, C, h, w) in the layer's positions.

    Only what lies behind the layer's module is differentiated.
    """
    part, network = _part(task), task.classifier.network
    task.clock.tick(1)
    with torch.enable_grad():
        leaf = (_activation(task, task.x) if task.activation is None else task.activation).requires_grad_()
        score = task.target.score(network.head_logits(leaf, task.head, resume=part.module))
        gradient = torch.autograd.grad(score.sum(), leaf)[0].to(task.x.dtype)
    weighted = leaf.detach().to(task.x.dtype) * gradient.mean(dim=(2, 3), keepdim=True)
    return weighted[:, part.channels(network.spec)]


def _activation(task: Task, x: Tensor) -> Tensor:
    """What the layer's module puts out for images (N, 3, S, S)."""
    images = task.classifier.to_input(x)
    with torch.no_grad():
        return next(h for name, h in task.classifier.network.trunk(images) if name == _part(task).module)


def _layer(network: GoogLeNet, part: Part) -> nn.Module:
    """The module whose output is the part's activation."""
    if part.channel is not None:
        raise AttributionError(f"this method takes a module or a branch, not the single channel {part}")
    block = network.block(part.module)
    return block if part.branch is None else branch_unit(block, part.branch)


def guided_gradcam(task: Task) -> Tensor:
    """Selvaraju et al. 2016: guided backprop times the rectified, enlarged GradCAM map, (1, 3, S, S)."""
    module = task.module()
    method = GuidedGradCam(module, _layer(module.network, _part(task)))
    return method.attribute(task.x, interpolate_mode="bilinear")  # type: ignore[no-any-return]


def layer_conductance(task: Task) -> Tensor:
    """Dhamdhere et al. 2018: integrated gradients that flow through a layer, (1, C, h, w) in its positions."""
    steps, rule = task.options["steps"], task.options["rule"]
    task.integrations.append(Integration(rule, steps, steps))
    if rule == "midpoint":
        return _conductance_by_midpoints(task)
    module = task.module()
    method = LayerConductance(module, _layer(module.network, _part(task)))
    values = method.attribute(task.x, task.baseline, n_steps=steps, method="gausslegendre", internal_batch_size=BATCH)
    return values.to(task.x.dtype)  # type: ignore[no-any-return]


def _conductance_by_midpoints(task: Task) -> Tensor:
    """In every interval of the path the layer's whole change times the gradient in the middle. No hooks.

    Captum's sum with n places holds changes between these places only: what lies before the first and behind the last
    is lost. Only what lies behind the layer's module is differentiated.
    """
    part, steps, network = _part(task), task.options["steps"], task.classifier.network
    _layer(network, part)
    channels = part.channels(network.spec)
    places = torch.linspace(0, 1, 2 * steps + 1, dtype=torch.float64).to(task.x.dtype)
    total: Tensor | None = None
    for first in range(0, steps, BATCH // 2):
        last = min(steps, first + BATCH // 2)
        alphas = places[2 * first : 2 * last + 1].to(task.x.device).view(-1, 1, 1, 1)
        task.clock.tick(last - first)
        h = _activation(task, torch.lerp(task.baseline, task.x, alphas))
        with torch.enable_grad():
            leaf = h[1::2].clone().requires_grad_()
            score = task.target.score(network.head_logits(leaf, task.head, resume=part.module))
            gradient = torch.autograd.grad(score.sum(), leaf)[0].to(task.x.dtype)
        credit = (gradient * (h[2::2] - h[:-2:2]).to(task.x.dtype)).sum(0, keepdim=True)[:, channels]
        total = credit if total is None else total + credit
    assert total is not None
    return total
