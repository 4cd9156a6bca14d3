"""Maps with options so small that tests stay fast, one head for other libraries, how many hooks a network carries."""

from __future__ import annotations

from torch import Tensor, nn

from inception_model.architecture.network import GoogLeNet
from inception_model.attribution import Attribution, explain
from inception_model.inference.classifier import Classifier

# Small options: the equalities hold for any.
OPTIONS: dict[str, dict[str, object]] = {
    "integrated_gradients": {"rule": "gauss-legendre", "steps": 20},
    "layer_conductance": {"rule": "gauss-legendre", "steps": 13},
    "smoothgrad": {"samples": 20, "sigma": 0.1, "seed": 5},
    "gradient_shap": {"samples": 20, "sigma": 0.1, "seed": 5},
    "occlusion": {"window": 80, "stride": 48},
    "superpixels": {"segments": 9, "compactness": 30},
}


class Head(nn.Module):
    """Logits of one head, written apart from the library's own wrapper."""

    def __init__(self, network: GoogLeNet, head: str) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self.network.forward_heads(x), self.head)


def ask(classifier: Classifier, x: Tensor, method: str, **more: object) -> Attribution:
    more.setdefault("options", OPTIONS.get(method, {}))
    return explain(classifier, x, method, **more)  # type: ignore[arg-type]


def hooks_on(network: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in network.modules() for kind in kinds)
