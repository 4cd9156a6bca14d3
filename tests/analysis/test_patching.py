"""Activation patching: identities, torchvision's network with hooks written by hand, what turns an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inception_model.analysis.patching import PatchError, contrast, patch, patch_effects, turn, up_to
from inception_model.architecture.address import Part, modules_seen, reaches
from inception_model.architecture.spec import BRANCHES, HEADS
from inception_model.checkpoints.formats import read
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target
from inception_model.inference.trace import Trace, capture
from inception_model.progress import Cancelled
from inception_model.serving.service import hook_count
from tests.compare import assert_close, relative_norm
from tests.random_networks import noise_images
from tests.weight_files import torchvision_network

Pair = tuple[Trace, Trace]


def smooth_images() -> Tensor:
    """Two pictures that the network tells apart: large patches of different noise."""
    coarse = noise_images(2, seed=8)[:, :, ::32, ::32] * torch.tensor([2.0, 0.5]).view(2, 1, 1, 1)
    return coarse.repeat_interleave(32, 2).repeat_interleave(32, 3)


@pytest.fixture(scope="module")
def pair(tiny_classifier: Classifier) -> Pair:
    a, b = smooth_images().split(1)
    return capture(tiny_classifier, a), capture(tiny_classifier, b)


@pytest.mark.parametrize("module", ["3a", "4a", "4d", "4e", "5b"])
def test_a_whole_module_gives_the_other_photos_answer_to_the_heads_behind_it(
    tiny_classifier: Classifier, pair: Pair, module: str
) -> None:
    a, b = pair
    for parts in ((Part(module),), tuple(Part(module, kind) for kind in BRANCHES)):
        found, own = patch(tiny_classifier, a, b, parts), patch(tiny_classifier, a, a, parts)
        for head in HEADS:
            if reaches(tiny_classifier.network.spec, module, head):
                assert torch.equal(found.of(head), own.of(head))  # A's own activations from there on, to the bit
                assert relative_norm(found.of(head), a.logits(head)) < 1e-5
            else:
                assert torch.equal(found.of(head), b.logits(head))


def test_nothing_carried_over_leaves_everything(tiny_classifier: Classifier, pair: Pair) -> None:
    a, b = pair
    assert patch(tiny_classifier, a, b, ()) is b.heads
    same = patch(tiny_classifier, b, b, (Part("4c", "3x3"),))
    for head in HEADS:
        assert relative_norm(same.of(head), b.logits(head)) < 1e-5


def test_one_branch_changes_the_answer_of_the_heads_behind_it_and_is_neither_photos(
    tiny_classifier: Classifier, pair: Pair
) -> None:
    a, b = pair
    for part in (Part("3b", "5x5"), Part("4b", "pool"), Part("5b", "1x1")):
        found = patch(tiny_classifier, a, b, (part,))
        assert relative_norm(found.main, b.heads.main) > 1e-3
        assert relative_norm(found.main, a.heads.main) > 1e-3


def test_up_to_names_a_branch_of_every_module_before(tiny_classifier: Classifier, pair: Pair) -> None:
    spec = tiny_classifier.network.spec
    assert [str(part) for part in up_to(spec, "4a", "5x5")] == ["3a:5x5", "3b:5x5", "4a:5x5"]
    a, b = pair
    whole, last = (patch(tiny_classifier, a, b, parts) for parts in (up_to(spec, "4d"), (Part("4d"),)))
    assert torch.equal(whole.main, last.main)  # the last whole module decides alone
    assert relative_norm(whole.aux1, a.logits("aux1")) < 1e-5
    assert torch.equal(last.aux1, b.logits("aux1"))


@pytest.mark.parametrize(
    "parts", [("4d:5x5",), ("3a:pool",), ("4a:1x1", "4e:3x3"), ("5a", "5b:5x5")], ids=lambda parts: "+".join(parts)
)
def test_patching_is_what_hooks_do_to_torchvisions_network(tmp_path: Path, parts: tuple[str, ...]) -> None:
    theirs = torchvision_network(20)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = build(read(tmp_path / "theirs.pth"), "cpu")
    a, b = (0.7 * smooth_images()).split(1)
    chosen = [Part.parse(text, ours.network.spec) for text in parts]

    def place(part: Part) -> nn.Module:
        block = theirs.get_submodule(f"inception{part.module}")
        return block if part.branch is None else block.get_submodule(f"branch{BRANCHES.index(part.branch) + 1}")

    kept: dict[Part, Tensor] = {}

    def keep(part: Part) -> Callable[..., None]:
        return lambda _, __, output: kept.__setitem__(part, output.clone())

    def give(part: Part) -> Callable[..., Tensor]:
        return lambda *_: kept[part]

    with torch.no_grad():
        plain = theirs(b)
        handles = [place(part).register_forward_hook(keep(part)) for part in chosen]
        theirs(a)
        for handle in handles:
            handle.remove()
        for part in chosen:
            place(part).register_forward_hook(give(part))
        wanted = theirs(b)
    found = patch(ours, capture(ours, a), capture(ours, b), chosen).main
    assert_close(found, wanted, 1e-4)
    assert relative_norm(found, plain) > 1e-3


@pytest.mark.parametrize("head", HEADS)
def test_effects_are_single_patches_between_the_photos_scores(
    tiny_classifier: Classifier, pair: Pair, head: str
) -> None:
    a, b = pair
    goal = Target(2, 5, "thing 2 − thing 5")
    found = patch_effects(tiny_classifier, a, b, head, goal)  # type: ignore[arg-type]
    assert found.modules == modules_seen(tiny_classifier.network.spec, head)  # type: ignore[arg-type]
    span = found.score_a - found.score_b
    size = float(torch.stack([a.logits(head), b.logits(head)]).norm())
    for row, name in enumerate(found.modules):
        for column, kind in enumerate(BRANCHES):
            logits = patch(tiny_classifier, a, b, (Part(name, kind),)).of(head)
            assert_close(float(found.scores[row, column]), float(goal.score(logits)[0]), 1e-5, scale=size)
            effect = (float(goal.score(logits)[0]) - found.score_b) / span
            assert_close(float(found.effects[row, column]), effect, 1e-5, scale=size / abs(span))
            assert found.classes[row][column] == int(logits.argmax())
    part, effect = found.strongest
    assert effect == float(found.effects.max())
    assert effect == pytest.approx(float(found.effects[found.modules.index(part.module), BRANCHES.index(part.branch)]))  # type: ignore[arg-type]
    assert hook_count(tiny_classifier.network) == 0


@pytest.mark.parametrize("head", HEADS)
def test_what_is_carried_over_turns_the_answer(tiny_classifier: Classifier, pair: Pair, head: str) -> None:
    a, b = pair
    if int(a.logits(head).argmax()) == int(b.logits(head).argmax()):
        with pytest.raises(PatchError, match="for both photos"):
            contrast(tiny_classifier, a, b, head)  # type: ignore[arg-type]
        goal = Target(int(a.logits(head).argmax()), int(a.logits(head).argmin()))
    else:
        goal = contrast(tiny_classifier, a, b, head)  # type: ignore[arg-type]
    effects = patch_effects(tiny_classifier, a, b, head, goal)  # type: ignore[arg-type]
    found = turn(tiny_classifier, a, b, effects)
    assert found.turned
    assert 1 <= len(found.parts) <= 4
    assert len(found.parts) == len(found.effects) == len(set(found.parts))
    logits = patch(tiny_classifier, a, b, found.parts).of(head)
    assert int(logits.argmax()) == goal.index
    if len(found.parts) > 1 and not effects.turning:  # a single branch that turns is found first
        assert all(
            int(patch(tiny_classifier, a, b, fewer).of(head).argmax()) != goal.index
            for fewer in combinations(found.parts, 1)
        )
    assert bool(effects.turning) == (len(found.parts) == 1)


def test_equal_answers_and_equal_scores_give_nothing_to_turn(tiny_classifier: Classifier, pair: Pair) -> None:
    a, _ = pair
    with pytest.raises(PatchError, match="no answer to turn"):
        contrast(tiny_classifier, a, a, "main")
    with pytest.raises(PatchError, match="is the same for both photos"):
        patch_effects(tiny_classifier, a, a, "main", Target(1, 2, "one"))


def test_progress_rises_and_cancelling_stops(tiny_classifier: Classifier, pair: Pair) -> None:
    told: list[tuple[int, int]] = []
    goal = Target(2, 5)
    effects = patch_effects(
        tiny_classifier, *pair, "aux1", goal, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        patch_effects(tiny_classifier, *pair, "aux1", goal, cancel=stop)
    with pytest.raises(Cancelled):
        turn(tiny_classifier, *pair, effects, cancel=stop)
