"""LRP on GoogLeNet: beside zennit on every composite, sums that close for every head, and relevance by channel."""

from __future__ import annotations

import copy
from dataclasses import replace

import captum.attr as captum
import pytest
import torch
from torch import Tensor, nn

from inception_model.architecture import variants
from inception_model.architecture.address import Part
from inception_model.architecture.spec import BRANCHES, HeadName, NetworkSpec
from inception_model.attribution import METHODS, explain
from inception_model.attribution.lrp import COMPOSITES, Composite, Conservation, Epsilon, Relevance, Tape
from inception_model.attribution.lrp.composites import find_composite
from inception_model.attribution.lrp.method import pixel_box
from inception_model.images.decode import Photo
from inception_model.inference import classifier as classifier_module
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.trust.randomisation import weights_hash
from tests.attribution.asking import Head
from tests.attribution.zennit_lrp import zennit_relevance
from tests.compare import assert_close, relative_norm
from tests.random_networks import SMALL, noise_images, random_classifier

HEADS: tuple[HeadName, ...] = ("aux1", "aux2", "main")
ZERO = Composite("zero", (("*", Epsilon(0.0)),), "Bach et al. 2015", "LRP-0 everywhere.", Epsilon(0.0))


@pytest.fixture
def exact(exact_tiny_classifier: Classifier) -> Classifier:
    return exact_tiny_classifier


def noise(side: int) -> Tensor:
    """Normal noise that a photo could be: every pixel between black and white."""
    return noise_images(1, seed=2, side=side).clamp(-1.7, 2.1).double()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return noise(SMALL)


def tape_of(classifier: Classifier, x: Tensor, head: HeadName = "main", target: Target | None = None) -> Tape:
    box = pixel_box(classifier.preprocessing, x)
    return Tape(classifier.network, x, head, target or Target(3), box)


def exact_of(spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    monkeypatch.setitem(classifier_module.DTYPES, "float64", torch.float64)
    return build(random_classifier(spec).checkpoint, "cpu", "float64")


def reference(classifier: Classifier, x: Tensor, head: str, composite: str, index: int = 3) -> Tensor:
    ends = pixel_box(classifier.preprocessing, x)
    return zennit_relevance(Head(classifier.twin().network, head), x, index, composite, ends)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("head", HEADS)
def test_every_composite_is_zennits_on_googlenet(head: HeadName, composite: str, exact: Classifier, x: Tensor) -> None:
    found = tape_of(exact, x, head).relevance(COMPOSITES[composite])
    assert_close(found.values, reference(exact, x, head, composite), 1e-5)
    assert found.conservation[0].error < 1e-9
    assert len({type(rule) for _, rule in COMPOSITES[composite].lines}) > (composite == "gamma")


@pytest.mark.parametrize("composite", ["epsilon-gamma-box", "alpha2-beta1"])
@pytest.mark.parametrize("name", ["paper", "torchvision", "inception5h"])
def test_every_variant_is_zennits(name: str, composite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LRN, asymmetric padding and other pools, at the widths of the tiny network; LRN is passed in zennit too."""
    full, thin = variants.get_spec(name, 5), variants.tiny(5)
    stem = replace(thin.stem, conv1_padding=full.stem.conv1_padding, lrn=full.stem.lrn)
    aux = tuple(replace(one, pool=full.aux[0].pool) for one in thin.aux) if full.aux else ()
    classifier = exact_of(replace(thin, stem=stem, pools=full.pools, aux=aux), monkeypatch)
    x = noise(224 if name == "paper" else SMALL)  # the paper's auxiliary heads take 224 pixels only
    for head in classifier.heads:
        found = tape_of(classifier, x, head).relevance(COMPOSITES[composite])
        if full.stem.conv1_padding == (3, 3) or composite != "epsilon-gamma-box":
            assert_close(found.values, reference(classifier, x, head, composite), 1e-5)
        # zennit's hook sees the padded image as pixels, and loses what its z-box hands to the padding.
        sums = found.conservation[0]
        assert sums.error < 1e-9
        assert sums.identity == (("lrn1", "lrn2") if full.stem.lrn else ())
        assert ("local response normalisation" in sums.sentence) == bool(full.stem.lrn)


def test_a_contrast_is_zennits_with_the_difference_as_its_last_layer(exact: Classifier, x: Tensor) -> None:
    network = copy.deepcopy(exact.network)
    last = network.classifier
    difference = nn.Linear(last.in_features, 1).double()
    difference.weight.data = (last.weight[2] - last.weight[5])[None]
    difference.bias.data = (last.bias[2] - last.bias[5])[None]
    network.classifier = difference
    ends = pixel_box(exact.preprocessing, x)
    wanted = zennit_relevance(Head(network, "main"), x, 0, "epsilon-gamma-box", ends)
    found = explain(exact, x, "lrp", "main", "2-5", options={"composite": "epsilon-gamma-box"})
    assert_close(found.values, wanted[0], 1e-5)
    assert found.conservation is not None
    logits = exact.network(x)[0]
    assert found.conservation.score == pytest.approx(float(logits[2] - logits[5]), rel=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_lrp_0_is_input_times_gradient(head: HeadName, exact: Classifier, x: Tensor) -> None:
    """On a network of ReLUs and max pools, with biases or without (Ancona et al. 2018, proposition 1)."""
    leaf = x.clone().requires_grad_()
    gradient = torch.autograd.grad(exact.network.head_logits(leaf, head)[0, 3], leaf)[0]
    found = tape_of(exact, x, head).relevance(ZERO)
    assert_close(found.values, x * gradient, 1e-8)
    sums = found.conservation[0]
    assert sums.stabilisers == 0
    assert sums.biases != 0


def test_lrp_0_is_captums_on_googlenet_which_leaves_the_biases_unaccounted(exact: Classifier, x: Tensor) -> None:
    plain = exact.checkpoint.network().double()  # captum knows plain convolutions only, and no nn.Identity
    plain.lrn1, plain.lrn2 = nn.Dropout(0.0), nn.Dropout(0.0)
    wanted, missing = captum.LRP(plain.eval()).attribute(x.clone(), target=3, return_convergence_delta=True)
    small = Composite("small", (("*", Epsilon(1e-9)),), "", "", Epsilon(1e-9))
    found = tape_of(exact, x).relevance(small)
    assert_close(found.values, wanted.detach(), 1e-6)
    sums = found.conservation[0]
    assert sums.biases + sums.stabilisers == pytest.approx(missing.item(), rel=1e-6)


def test_without_biases_the_pixels_hold_the_whole_score(exact: Classifier, x: Tensor) -> None:
    twin = replace(exact, network=copy.deepcopy(exact.network))
    for name, parameter in twin.network.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    found = tape_of(twin, x).relevance(ZERO)
    assert float(found.values.sum()) == pytest.approx(float(twin.network(x)[0, 3]), rel=1e-9)
    assert found.conservation[0].biases == 0


def closed_by_hand(found: Relevance, score: float) -> float:
    """What the sum misses, from the single rows, as a share of the score."""
    (sums,) = found.conservation
    held = float(found.values.double().sum())
    absorbed = sum(row.bias + row.stabiliser for row in sums.layers)
    return abs(score - held - absorbed - sums.set_aside) / abs(score)


@pytest.mark.parametrize("head", HEADS)
def test_sums_close_on_the_bundled_network_in_float32(
    head: HeadName, bundled_classifier: Classifier, cat: Photo
) -> None:
    photo = bundled_classifier.prepare(cat.image)
    logits = bundled_classifier.heads_of(photo).of(head)[0]
    best = Target(int(logits.argmax()))
    tape = tape_of(bundled_classifier, photo, head, best)
    for composite in COMPOSITES.values():
        found = tape.relevance(composite)
        assert closed_by_hand(found, float(logits[best.index])) < 1e-4
        assert found.conservation[0].closes
        check_every_part(found.conservation[0])


def check_every_part(sums: Conservation) -> None:
    """Modules and branches: what reaches a module leaves it or is absorbed in its layers, branch by branch, and what
    leaves a module reaches the one below (max pools between them keep all)."""
    absorbed = {row.layer: row.bias + row.stabiliser for row in sums.layers}
    lanes = {"1x1": ("1x1",), "3x3": ("3x3_reduce", "3x3"), "5x5": ("5x5_reduce", "5x5"), "pool": ("pool_proj",)}
    for row, below in zip(sums.modules, [*sums.modules[1:], None], strict=True):
        size = float(row.channels.abs().sum())
        assert_close(sum(row.reached), float(row.channels.sum()), scale=size)
        for kind, kept, left in zip(BRANCHES, row.kept, row.left, strict=True):
            kept_back = left + sum(absorbed[f"{row.module}.{unit}"] for unit in lanes[kind])
            assert_close(kept_back, kept, 1e-4, scale=size)
        if below is not None:
            assert_close(sum(row.left), below.total, 1e-4, scale=size)


@pytest.mark.parametrize(("composite", "module"), [("epsilon-plus-flat", "4d"), ("gamma", "3a")])
def test_the_maps_of_all_channels_make_the_whole_map(composite: str, module: str, exact: Classifier, x: Tensor) -> None:
    tape, rules, spec = tape_of(exact, x), COMPOSITES[composite], exact.network.spec
    whole = tape.relevance(rules)
    block = spec.block(module)
    for kind in BRANCHES:
        parts = [Part(module, kind, channel) for channel in range(block.width(kind))]
        singles = [tape.relevance(rules, (part,)) for part in parts]
        together = tape.relevance(rules, (Part(module, kind),))
        assert_close(sum(one.values for one in singles), together.values, 1e-8)  # type: ignore[arg-type]
        assert_close(tape.relevance(rules, parts).values, together.values, 1e-9)
        for part, one in zip(parts, singles, strict=True):
            sums = one.conservation[0]
            assert closed_by_hand(one, sums.score) < 1e-9
            assert sums.through == str(part)
            check_every_part(sums)
    branches = [tape.relevance(rules, (Part(module, kind),)).values for kind in BRANCHES]
    assert_close(sum(branches), whole.values, 1e-8)  # type: ignore[arg-type]
    assert max(relative_norm(one, whole.values) for one in branches) > 0.1
    assert_close(tape.relevance(rules, (Part(module),)).values, whole.values, 1e-12)


def test_a_conditional_map_is_zennits_with_all_other_channels_masked(exact: Classifier, x: Tensor) -> None:
    spec, part = exact.network.spec, Part("4d", "5x5", 1)
    mask = torch.zeros(spec.block("4d").out_channels)
    mask[part.channels(spec)] = 1
    network = exact.twin().network
    ends = pixel_box(exact.preprocessing, x)
    wanted = zennit_relevance(Head(network, "main"), x, 3, "epsilon-plus-flat", ends, (network.block("4d"), mask))
    found = explain(exact, x, "lrp", target=3, options={"composite": "epsilon-plus-flat", "through": "4d:5x5:1"})
    assert_close(found.values, wanted[0], 1e-5)
    assert found.conservation is not None
    assert found.conservation.set_aside != 0
    row = next(row for row in found.conservation.modules if row.module == "4d")
    assert sum(row.kept) == pytest.approx(float(row.channels[part.channels(spec)].sum()), rel=1e-9)
    assert row.kept[0] == row.kept[1] == row.kept[3] == 0
    place, value = row.strongest(1)[0]
    strongest = Part.parse(place, spec).channels(spec)
    assert float(row.channels[strongest]) == value == float(row.channels[row.channels.abs().argmax()])


def test_two_conditions_are_met_one_after_the_other(exact: Classifier, x: Tensor) -> None:
    tape, rules = tape_of(exact, x), COMPOSITES["epsilon-plus-flat"]
    upper = Part("5a", "3x3")
    pairs = [tape.relevance(rules, (upper, Part("3b", kind))) for kind in BRANCHES]
    assert_close(
        sum(pair.values for pair in pairs),  # type: ignore[arg-type]
        tape.relevance(rules, (upper,)).values,
        1e-8,
    )
    assert pairs[0].conservation[0].through == "5a:3x3 and 3b:1x1"


def test_batch_norm_is_merged_without_touching_the_network(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = exact_of(variants.tiny(7, batch_norm=1e-5), monkeypatch)
    trained = classifier.checkpoint.trainable().eval().double().requires_grad_(False)
    random = torch.Generator().manual_seed(6)
    for unit in trained.modules():
        if isinstance(unit, nn.BatchNorm2d):
            for values, low, high in (
                (unit.running_mean, -0.2, 0.2),
                (unit.running_var, 0.5, 2),
                (unit.weight, 0.5, 2),
            ):
                values.data.uniform_(low, high, generator=random)  # type: ignore[union-attr]
    before = weights_hash(trained)
    whole = replace(classifier, network=trained)
    found = tape_of(whole, x)
    assert_close(found.score, trained(x)[:, 3:4], 1e-9)
    # zennit merges as well; its canoniser works in place and is undone.
    from zennit.canonizers import SequentialMergeBatchNorm

    twin = copy.deepcopy(trained)
    SequentialMergeBatchNorm().apply(twin)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0  # it is the identity now, which zennit's own eps would miss
    wanted = zennit_relevance(Head(twin, "main"), x, 3, "alpha2-beta1", pixel_box(classifier.preprocessing, x))
    assert_close(found.relevance(COMPOSITES["alpha2-beta1"]).values, wanted, 1e-5)
    assert weights_hash(trained) == before


def test_composites_are_data() -> None:
    assert METHODS["lrp"].defaults == {"composite": next(iter(COMPOSITES)), "through": "all"}
    with pytest.raises(KeyError, match="unknown composite 'lrp'; allowed: epsilon"):
        find_composite("lrp")
    tape = tape_of(random_classifier(variants.tiny(7)), noise_images(1))
    half = Composite("half", (("linear", Epsilon()),), "", "")
    with pytest.raises(KeyError, match=r"composite half has no rule for 5b\.\S+ \(convolution\)"):
        tape.relevance(half)
