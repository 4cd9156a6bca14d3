"""The drawings of ledger and ablation: their numbers are the library's, their bars add up, their words are escaped."""

from __future__ import annotations

import re

import pytest
import torch

from app.figures.ablation import result_html, sweep_in_words
from app.figures.ledger import exact_html, in_words, ledger_html
from inception_model.analysis.ablation import Ablation, ablate, sweep
from inception_model.analysis.conductance import CreditLedger, credit_ledger, exact_split
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.numbers import signed
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import Trace, capture
from tests.random_networks import noise_images


@pytest.fixture(scope="module")
def trace(tiny_classifier: Classifier) -> Trace:
    return capture(tiny_classifier, noise_images(1))


@pytest.fixture(scope="module")
def ledger(tiny_classifier: Classifier) -> CreditLedger:
    x = noise_images(1)
    return credit_ledger(tiny_classifier, x, torch.zeros_like(x), Target(3, name="three"), steps=4)


def test_signed_numbers() -> None:
    assert [signed(value) for value in (1.234, -1.236, 0.001, -0.001)] == ["+1.23", "−1.24", "0.00", "0.00"]


def test_the_ledger_table_shows_every_number(ledger: CreditLedger) -> None:
    text = ledger_html(ledger)
    rows = re.findall(r"<tr><th scope.*?</tr>", text, re.DOTALL)
    assert len(rows) == 9
    for name, row, html in zip(ledger.modules, ledger.table.tolist(), rows, strict=True):
        cells = re.findall(r"<td>(.*?)</td>", html)
        assert f">{name}</th>" in html
        assert cells == [*(signed(value) for value in row), signed(sum(row))]


def test_the_exact_sum_and_the_sentence(tiny_classifier: Classifier, trace: Trace, ledger: CreditLedger) -> None:
    split = exact_split(tiny_classifier, trace, Target(3))
    text = exact_html(split)
    assert all(signed(value) in text for value in [*split.branches[0].tolist(), split.bias, float(split.score)])
    best = int(ledger.table.flatten().argmax())
    names = {"1x1": "1×1", "3x3": "3×3", "5x5": "5×5", "pool": "pool"}
    assert f"Most was earned by {ledger.modules[best // 4]} {names[BRANCHES[best % 4]]}" in in_words(ledger)


def test_the_sweep_in_words_names_the_branch_that_is_needed_most(tiny_classifier: Classifier, trace: Trace) -> None:
    swept = sweep(tiny_classifier, trace)
    delta = swept.delta("main")[:, :, 0, 3]
    needed = int(delta.flatten().argmin())
    assert f"main needs {swept.modules[needed // 4]} " in sweep_in_words(swept, Target(3, name="three"), "main")


def test_before_and_after_of_three_heads(tiny_classifier: Classifier, trace: Trace) -> None:
    result = ablate(tiny_classifier, trace, Ablation.parse(["4b:1x1"], tiny_classifier.network.spec))
    text = result_html(result, ("aux1", "main"), lambda index: f"<b>thing</b> {index}")
    assert "<b>thing" not in text
    assert "&lt;b&gt;thing&lt;/b&gt; 0" in text
    first, second, third = re.findall(r"<section.*?</section>", text, re.DOTALL)
    assert "does not see this" in first
    assert "Never trained" in second
    assert "does not see this" not in third
    assert all(signed(change.delta) in third for change in result.top("main"))
