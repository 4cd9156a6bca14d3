"""Random logit and sparseness, and numbers that depend on chance: known answers, published verdicts, seeds, spreads."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from inception_model.attribution import Attribution, explain
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.trust import CHECKS, Badge, Case, evidence
from inception_model.trust.curves import curve
from inception_model.trust.fidelity import measure_infidelity, measure_sensitivity
from inception_model.trust.random_logit import other_targets, random_logit
from inception_model.trust.randomisation import randomisation, rank_correlation
from inception_model.trust.sparseness import NOISE, gini, sparseness
from inception_model.trust.spread import SEEDS, Spread, spread_of


def case_of(classifier: Classifier, x: Tensor, method: str, **arguments: object) -> Case:
    return Case(classifier, x, explain(classifier, x, method, **arguments))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Deaf(Case):
    """A method that draws the same map whatever it is asked."""

    def again(self, *_: object, **__: object) -> Attribution:
        return self.attribution


def test_a_map_that_ignores_its_class_fails_with_similarity_one(tiny_classifier: Classifier, x: Tensor) -> None:
    found = random_logit(Deaf(tiny_classifier, x, explain(tiny_classifier, x, "saliency", "aux1")))
    assert found.similarities == pytest.approx([1.0] * 5)
    assert found.passed is False
    assert "1.00 ± 0.00 over 5 seeds" in found.sentence
    assert "whatever it is asked" in found.sentence
    assert Badge((found,)).state == "fails random logit"


@pytest.mark.parametrize("target", ["2", "2-4"])
def test_other_classes_are_drawn_by_seed_and_their_maps_compared(
    tiny_classifier: Classifier, x: Tensor, target: str
) -> None:
    case = case_of(tiny_classifier, x, "gradcam", head="aux2", target=target)
    found = random_logit(case, seeds=(0, 1))
    others = other_targets(case.attribution.target, 7, (0, 1))
    assert found.classes == tuple(
        f"thing {t.index}" if t.minus is None else f"thing {t.index} − thing {t.minus}" for t in others
    )
    for similarity, other in zip(found.similarities, others, strict=True):
        theirs = explain(tiny_classifier, x, "gradcam", "aux2", other)
        assert similarity == pytest.approx(rank_correlation(case.attribution.heatmap, theirs.heatmap), rel=1e-5)
    assert random_logit(case, seeds=(0, 1)) == found


def test_no_class_is_asked_twice_and_none_that_is_explained() -> None:
    for target in (Target(3), Target(3, 5)):
        for classes in (200, 7, 3, 2):
            used = [i for t in other_targets(target, classes, SEEDS) for i in (t.index, t.minus) if i is not None]
            width = 1 if target.minus is None else 2
            free = classes - sum(index < classes for index in (target.index, target.minus) if index is not None)
            assert len(used) == min(len(SEEDS), free // width) * width
            assert len(set(used) | {target.index, target.minus}) == len(used) + len({target.index, target.minus})


@pytest.mark.parametrize(("method", "passes"), [("gradcam", True), ("saliency", True), ("guided_backprop", False)])
def test_sixts_verdicts_on_a_real_photo(bundled_classifier: Classifier, cat: Photo, method: str, passes: bool) -> None:
    found = random_logit(case_of(bundled_classifier, bundled_classifier.prepare(cat.image), method))
    assert found.passed is passes, found.sentence
    if not passes:  # a matrix of rank one is all that is left of the class: Sixt et al. 2020, section 3
        assert found.spread is not None
        assert found.spread.mean > 0.95


def test_maps_of_other_classes_that_are_empty_give_no_verdict(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "saliency")
    empty = replace(known, values=torch.zeros_like(known.values), heatmap=torch.zeros_like(known.heatmap))

    @dataclass(frozen=True)
    class Silent(Case):
        def again(self, *_: object, **__: object) -> Attribution:
            return empty

    found = random_logit(Silent(tiny_classifier, x, known))
    assert (found.passed, found.spread) == (None, None)
    assert "No verdict" in found.sentence


def test_gini_has_its_closed_forms() -> None:
    assert 1 - gini(torch.ones(50)) == pytest.approx(1)
    single = torch.zeros(50)
    single[7] = -3
    assert gini(single) == pytest.approx(1 - 1 / 50)
    assert gini(torch.arange(1.0, 101.0)) == pytest.approx((100 - 1) / (3 * 100), rel=1e-6)
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    assert gini(noise) == pytest.approx(NOISE, rel=0.01)
    values = np.abs(noise[:300].double().numpy())  # the mean absolute difference, which is how Gini defined it
    assert gini(noise[:300]) == pytest.approx(np.abs(values[:, None] - values).mean() / (2 * values.mean()), rel=1e-9)


def test_sparseness_counts_the_places_that_hold_half(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "gradcam")
    values = torch.zeros(1, 7, 7)
    values[0, 0, :4] = torch.tensor([4.0, -3.0, 2.0, 1.0])
    found = sparseness(Case(tiny_classifier, x, replace(known, values=values, heatmap=values[0])))
    assert found.half == pytest.approx(2 / 49)
    assert found.passed is None
    assert "4.1% of its positions" in found.sentence


def test_a_spread_is_told_as_mean_and_deviation() -> None:
    values = (0.2, 0.3, 0.4)
    assert Spread(values).words() == "0.30 ± 0.10 over 3 seeds"
    assert Spread(values).words(".0%") == "30% ± 10% over 3 seeds"
    assert Spread((0.25,)).words() == "0.25 with a single seed"
    assert spread_of([None, 1.0]) == Spread((1.0,))
    assert spread_of([None]) is None


def test_every_number_that_depends_on_chance_is_found_with_five_seeds(tiny_classifier: Classifier, x: Tensor) -> None:
    case = case_of(tiny_classifier, x, "gradcam", head="aux1")
    badge = evidence(tiny_classifier, x, case.attribution, tuple(CHECKS))
    told = {found.name: found for found in badge.evidence}
    for name in ("randomisation", "random logit", "infidelity", "sensitivity"):
        spread = told[name].spread
        assert spread is not None
        assert len(spread.values) == 5
        assert len(set(spread.values)) > 1, name
        assert " ± " in told[name].sentence
        assert "over 5 seeds" in told[name].sentence
        plain = json.loads(json.dumps(told[name].as_dict()))["spread"]
        assert plain["mean"] == pytest.approx(statistics.mean(spread.values))
        assert plain["deviation"] == pytest.approx(statistics.stdev(spread.values))
    for name in ("insertion", "deletion"):
        assert "over 5 seeds" in told[name].sentence
    for name in ("completeness", "sparseness"):
        assert told[name].spread is None
        assert "±" not in told[name].sentence


def test_each_seed_gives_what_it_gives_alone(tiny_classifier: Classifier, x: Tensor) -> None:
    case = case_of(tiny_classifier, x, "saliency", head="aux1")
    noisy = measure_sensitivity(case, samples=2, seeds=(3, 4))
    assert noisy.values == tuple(measure_sensitivity(case, samples=2, seeds=(seed,)).values[0] for seed in (3, 4))
    covered = measure_infidelity(case, samples=4, seeds=(3, 4))
    assert covered.values == tuple(measure_infidelity(case, samples=4, seeds=(seed,)).values[0] for seed in (3, 4))
    rivals = curve(case, "deletion", steps=2, rivals=2, seed=3).random
    assert rivals[1] == pytest.approx(curve(case, "deletion", steps=2, rivals=2, seed=4).random[0], rel=1e-5)
    remade = randomisation(case, seeds=(3, 4))
    assert remade.spread is not None
    assert remade.similarity == pytest.approx(statistics.mean(remade.spread.values))


@pytest.mark.parametrize(
    ("name", "method", "options"),
    [
        *((name, "saliency", {}) for name in CHECKS),
        ("convergence", "smoothgrad", {"samples": 3}),
        ("convergence", "integrated_gradients", {"steps": 3}),
    ],
)
def test_costs_are_what_the_checks_ask(
    tiny_classifier: Classifier,
    x: Tensor,
    name: str,
    method: str,
    options: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, images = explain(tiny_classifier, x, method, "aux1", options=options), 0
    whole = type(tiny_classifier.network).head_logits

    def counted(network: object, batch: Tensor, *arguments: object, **options: object) -> Tensor:
        nonlocal images
        images += len(batch)
        return whole(network, batch, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(tiny_classifier.network), "head_logits", counted)
    evidence(tiny_classifier, x, known, [name])
    wanted = CHECKS[name].cost(tiny_classifier.checkpoint.spec, "aux1", max(options.values(), default=1), method)
    # `explain` itself asks once more for the score; captum's infidelity shows the whole image before each batch.
    assert wanted <= images <= 2.2 * wanted + 3
