"""What lies beside the bundled weights about their limits belongs to them, and the card says the same numbers."""

from __future__ import annotations

import pytest

from inception_model.analysis.confusions import confusions_path, load_confusions, markdown
from inception_model.analysis.doubt import doubt_of
from inception_model.analysis.ood_file import known_path, load_known
from inception_model.checkpoints.checkpoint import BUNDLED, Checkpoint
from inception_model.cli.ood import table
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture


def test_the_confusions_are_of_the_bundled_network(bundled_checkpoint: Checkpoint) -> None:
    found = load_confusions(confusions_path(BUNDLED), bundled_checkpoint)
    assert found.images == 10_000
    for head, counts in found.heads.items():
        right = counts.diagonal().sum() / counts.sum()
        assert right == pytest.approx(bundled_checkpoint.accuracy[head]["top1"], rel=2e-3)
    for line in markdown(found, bundled_checkpoint):
        assert line in bundled_checkpoint.card


def test_what_the_classes_look_like_is_of_the_bundled_network(bundled_classifier: Classifier, cat: Photo) -> None:
    checkpoint = bundled_classifier.checkpoint
    known = load_known(known_path(BUNDLED), checkpoint)
    assert known_path(BUNDLED).stat().st_size < 2_000_000
    for line in table(known):
        assert line in checkpoint.card
    best = known.marks[known.kept]
    assert all(best.classes + best.pictures >= marks.classes + marks.pictures - 0.05 for marks in known.marks.values())
    doubt = doubt_of(bundled_classifier, capture(bundled_classifier, bundled_classifier.prepare(cat.image)), known)
    assert doubt is not None
    assert not doubt.unlike, "the cat of the first screen is one of the classes"
