"""Ablation against plain torch hooks, torch's FLOP counter and the exact identities of the architecture."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inception_model.analysis.ablation import FILLS, Ablation, Fill, ablate, channel_means, fill_means, ranks, sweep
from inception_model.architecture import variants
from inception_model.architecture.address import Part
from inception_model.architecture.network import GoogLeNet, Heads
from inception_model.architecture.spec import BRANCHES
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture
from inception_model.progress import Cancelled
from tests.compare import assert_close, relative_norm
from tests.random_networks import noise_images, random_classifier

BEHIND = {"aux1": ("4b", "4c", "4d", "4e", "5a", "5b"), "aux2": ("4e", "5a", "5b")}
"""Modules that an auxiliary head can't see (Figure 3)."""
WITHOUT_AUX = replace(variants.tiny(), aux=())


@pytest.fixture(scope="module", params=[variants.tiny(), WITHOUT_AUX], ids=["aux", "no-aux"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return random_classifier(request.param)


@pytest.fixture(scope="module")
def with_aux() -> Classifier:
    return random_classifier(variants.tiny())


def off(tiny: Classifier, *texts: str, fill: str = "zero") -> Ablation:
    return Ablation.parse(texts, tiny.network.spec, fill)


@contextlib.contextmanager
def plain_hooks(network: GoogLeNet, slices: dict[str, list[slice]], values: dict[str, Tensor]) -> Iterator[None]:
    """What anyone would write in torch: forward hooks that overwrite channel slices with the values (zero if none)."""

    def overwrite(name: str, output: Tensor) -> Tensor:
        output = output.clone()
        for part in slices[name]:
            output[:, part] = values[name][:, part, None, None] if name in values else 0
        return output

    handles = [
        network.block(name).register_forward_hook(lambda _, __, output, name=name: overwrite(name, output))
        for name in slices
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def same_heads(a: Heads, b: Heads) -> bool:
    return a.present == b.present and all(relative_norm(a.of(head), b.of(head)) <= 1e-5 for head in a.present)


# tiny widths: 3a 4+8+2+2, 4a 12+13+3+4, 4d 7+18+4+4, 4e 16+20+8+8, 5b 24+24+8+8
CASES: dict[tuple[str, ...], dict[str, list[slice]]] = {
    ("3a:1x1",): {"3a": [slice(0, 4)]},
    ("4d:5x5",): {"4d": [slice(25, 29)]},
    ("4e:pool:7",): {"4e": [slice(51, 52)]},
    ("5b",): {"5b": [slice(0, 64)]},
    ("4a:3x3", "4d:pool", "5b:1x1:3", "4d:3x3:0"): {
        "4a": [slice(12, 25)],
        "4d": [slice(29, 33), slice(7, 8)],
        "5b": [slice(3, 4)],
    },
}


@pytest.mark.parametrize("texts", CASES, ids=" ".join)
def test_equals_a_full_forward_with_plain_hooks(classifier: Classifier, texts: tuple[str, ...]) -> None:
    x = noise_images(2)
    result = ablate(classifier, capture(classifier, x), off(classifier, *texts))
    with plain_hooks(classifier.network, CASES[texts], {}):
        expected = classifier.heads_of(x)
    assert same_heads(result.after, expected)
    assert relative_norm(result.after.main, result.before.main) > 1e-4
    assert same_heads(result.before, classifier.heads_of(x))


@pytest.mark.parametrize("count", [1, 2], ids=["one reference", "a reference each"])
def test_mean_fill_equals_plain_hooks(classifier: Classifier, count: int) -> None:
    x, texts = noise_images(2), ("4a:3x3", "4d:pool", "5b:1x1:3", "4d:3x3:0")
    reference = noise_images(count, seed=9) * 0.3
    with torch.no_grad():
        means = {name: output.mean((2, 3)) for name, output in classifier.network.trunk(reference)}
    result = ablate(
        classifier,
        capture(classifier, x),
        off(classifier, *texts, fill="mean-colour"),
        channel_means(classifier, reference),
    )
    with plain_hooks(classifier.network, CASES[texts], means):
        expected = classifier.heads_of(x)
    assert same_heads(result.after, expected)


def test_the_images_of_a_batch_do_not_mix(with_aux: Classifier) -> None:
    x, ablation = noise_images(3), off(with_aux, "3b:5x5", "4e:1x1")
    together = ablate(with_aux, capture(with_aux, x), ablation)
    for i in range(3):
        alone = ablate(with_aux, capture(with_aux, x[i : i + 1]), ablation)
        assert_close(together.after.main[i], alone.after.main[0])


def test_zeroing_5b_is_minus_its_contribution(with_aux: Classifier) -> None:
    trace = capture(with_aux, noise_images(2))
    linear, spec = with_aux.network.classifier, with_aux.network.spec
    for branch in BRANCHES:
        lane = spec.block("5b").channels(branch)
        contribution = trace.block("5b").output[:, lane].mean((2, 3)) @ linear.weight[:, lane].T
        result = ablate(with_aux, trace, off(with_aux, f"5b:{branch}"))
        assert_close(result.delta("main"), -contribution)
        assert result.rerun == ()


def test_zeroing_all_of_5b_leaves_the_bias(with_aux: Classifier) -> None:
    trace = capture(with_aux, noise_images(2))
    by_branch = ablate(with_aux, trace, off(with_aux, *(f"5b:{branch}" for branch in BRANCHES)))
    whole = ablate(with_aux, trace, off(with_aux, "5b"))
    assert torch.equal(by_branch.after.main, whole.after.main)
    assert torch.equal(whole.after.main, with_aux.network.classifier.bias.detach().expand(2, -1))


def test_heads_before_the_ablation_do_not_move(with_aux: Classifier) -> None:
    trace = capture(with_aux, noise_images(1))
    for name in BEHIND["aux1"]:
        result = ablate(with_aux, trace, off(with_aux, name))
        assert torch.equal(result.delta("aux1"), torch.zeros(1, 7))
        assert bool(result.delta("main").any())
        assert bool(result.delta("aux2").any()) != (name in BEHIND["aux2"])
    assert bool(ablate(with_aux, trace, off(with_aux, "4a")).delta("aux1").any())


def test_a_late_ablation_costs_less_than_half_a_forward() -> None:
    """Counted by torch on Table 1's widths; the published row sums (5a, 5b, linear) are met to the last MAC."""
    classifier = random_classifier(variants.paper(classes=1000))
    x = noise_images(1)
    with FlopCounterMode(display=False) as full:
        trace = capture(classifier, x)
    macs = {}
    for text in ("4a:1x1", "4e:5x5", "5a:pool", "5b:3x3"):
        with FlopCounterMode(display=False) as partial:
            ablate(classifier, trace, off(classifier, text))
        macs[text] = partial.get_total_flops() // 2
    assert full.get_total_flops() // 2 == 1_591_044_096
    assert macs["4e:5x5"] == 51_079_168 + 70_697_984 + 1_024_000
    assert macs["5a:pool"] == 70_697_984 + 1_024_000
    assert macs["5b:3x3"] == 1_024_000
    assert macs["4a:1x1"] < full.get_total_flops() // 4


@pytest.mark.parametrize("fill", FILLS)
def test_sweep_equals_single_ablations(classifier: Classifier, fill: Fill) -> None:
    x = noise_images(2)
    trace, means = capture(classifier, x), fill_means(classifier, x, fill)
    seen: list[tuple[int, int]] = []
    result = sweep(classifier, trace, fill, means, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 9) for done in range(10)]
    assert result.modules == classifier.network.spec.module_names
    for i, name in enumerate(result.modules):
        for j, branch in enumerate(BRANCHES):
            single = ablate(classifier, trace, off(classifier, f"{name}:{branch}", fill=fill), means)
            for head in classifier.heads:
                assert_close(result.after[head][i, j], single.after.of(head))
                assert result.delta(head).shape == (9, 4, 2, 7)
                if name in BEHIND.get(head, ()):
                    assert not result.delta(head)[i, j].any()


def test_sweep_can_be_cancelled(with_aux: Classifier) -> None:
    cancel, seen = threading.Event(), []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if done == 3:
            cancel.set()

    with pytest.raises(Cancelled, match="after 4 of 9"):
        sweep(with_aux, capture(with_aux, noise_images(1)), progress=progress, cancel=cancel)
    assert seen == [0, 1, 2, 3]


def test_ranks_and_the_top_classes(with_aux: Classifier) -> None:
    assert ranks(torch.tensor([[0.5, 2.0, 1.0]])).tolist() == [[3, 1, 2]]
    result = ablate(with_aux, capture(with_aux, noise_images(1)), off(with_aux, "5b:1x1"))
    top = result.top("main", k=2)
    before, after = (values[0].softmax(0) for values in (result.before.main, result.after.main))
    assert [change.rank[0] for change in top] == sorted(change.rank[0] for change in top)
    assert {change.index for change in top} == {*before.topk(2).indices.tolist(), *after.topk(2).indices.tolist()}
    for change in top:
        assert change.probability == pytest.approx((float(before[change.index]), float(after[change.index])))
        assert change.rank[1] == 1 + int((after > after[change.index]).sum())
        assert change.delta == pytest.approx(float(result.delta("main")[0, change.index]), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "found", "allowed"),
    [
        ("6a", "'6a'", "3a, 3b, 4a, 4b, 4c, 4d, 4e, 5a, 5b"),
        ("4d:7x7", "'7x7'", "1x1, 3x3, 5x5, pool"),
        ("4d:5x5:4", "'4'", "4d:5x5 has channels 0 to 3"),
        ("4d:5x5:-1", "'-1'", "0 to 3"),
        ("4d:5x5:1:2", "'1:2'", "0 to 3"),
        ("", "''", "3a, 3b"),
    ],
)
def test_an_unknown_part_lists_the_allowed_ones(text: str, found: str, allowed: str) -> None:
    with pytest.raises(ValueError) as error:
        Ablation.parse([text], variants.tiny())
    assert found in str(error.value)
    assert allowed in str(error.value)


def test_parts_are_written_as_they_are_read() -> None:
    texts = ["4d", "5b:pool", "4d:5x5:3"]
    ablation = Ablation.parse([*texts, "4d"], variants.tiny())
    assert [str(part) for part in ablation.parts] == texts
    assert ablation.modules(variants.tiny()) == ("4d", "5b")
    assert ablation.parts[1] == Part("5b", "pool")


def test_an_ablation_without_parts_or_reference_is_refused(with_aux: Classifier) -> None:
    with pytest.raises(ValueError, match="nothing to switch off"):
        Ablation.parse([], variants.tiny())
    with pytest.raises(ValueError, match="unknown fill 'grey'; allowed: zero, mean-colour, mean-blur"):
        Ablation.parse(["4d"], variants.tiny(), "grey")
    with pytest.raises(ValueError, match="needs the channel means"):
        ablate(with_aux, capture(with_aux, noise_images(1)), off(with_aux, "4d", fill="mean-blur"))
    with pytest.raises(KeyError, match="no head 'aux3' in this network; it has: aux1, aux2, main"):
        ablate(with_aux, capture(with_aux, noise_images(1)), off(with_aux, "4d")).logits("aux3")
