"""How to read a map: where its method comes from, what its values are, and all its numbers as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from .captum_metrics import SLOPES
from .explaining import Attribution

PAPERS = {
    "saliency": "Simonyan et al. 2013, section 3",
    "input_x_gradient": "Shrikumar et al. 2016",
    "integrated_gradients": "Sundararajan et al. 2017, section 3",
    "smoothgrad": "Smilkov et al. 2017, section 3",
    "gradient_shap": "Lundberg and Lee 2017",
    "deeplift": "Shrikumar et al. 2017, section 3",
    "guided_backprop": "Springenberg et al. 2014",
    "deconvolution": "Zeiler and Fergus 2013, section 2",
    "occlusion": "Zeiler and Fergus 2013",
    "superpixels": "after Ribeiro et al. 2016",
    "gradcam": "Selvaraju et al. 2016, section 3",
    "guided_gradcam": "Selvaraju et al. 2016, section 3",
    "layer_conductance": "Dhamdhere et al. 2018",
    "lrp": "Bach et al. 2015; Montavon et al. 2019; Achtibat et al. 2023",
}
"""Where each method comes from."""


def unit_of(method: str) -> str:
    """What the numbers of a method's map are."""
    return "slope: logits per unit of brightness" if method in SLOPES else "credit in logits per position"


def arrays(result: Attribution) -> dict[str, np.ndarray]:
    """The arrays of an attribution by the names that they have in an .npz file."""
    found = {"values": result.values.numpy(), "heatmap": result.heatmap.numpy()}
    if result.baselines is not None:
        found["baselines"] = result.baselines.numpy()
    if result.conservation is not None:
        found |= {f"relevance_{row.module}": row.channels.numpy() for row in result.conservation.modules}
    return found


def numbers(result: Attribution) -> dict[str, Any]:
    """What is said about an attribution besides its arrays, ready for JSON."""
    return {
        "method": result.method,
        "head": result.head,
        "target": asdict(result.target),
        "layer": result.layer,
        "baseline": result.baseline,
        "options": result.options,
        "score": result.score,
        "baseline_score": result.baseline_score,
        "sum": result.total,
        "completeness_error": result.completeness_error,
        "integration": None if result.integration is None else result.integration.as_dict(),
        "conservation": None if result.conservation is None else result.conservation.as_dict(),
        "all_negative": result.all_negative,
        "empty": result.empty,
        "note": result.note,
        "seconds": round(result.seconds, 4),
    }
