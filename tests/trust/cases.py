"""Maps to be checked: a method's own, and one that never changes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from inception_model.architecture.network import GoogLeNet
from inception_model.attribution import Attribution, explain
from inception_model.inference.classifier import Classifier
from inception_model.trust import Case


def case_of(classifier: Classifier, x: Tensor, method: str, **arguments: object) -> Case:
    return Case(classifier, x, explain(classifier, x, method, **arguments))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Stubborn(Case):
    """A method that draws the same map whatever the network."""

    def again(self, x: Tensor | None = None, network: GoogLeNet | None = None) -> Attribution:
        return self.attribution
