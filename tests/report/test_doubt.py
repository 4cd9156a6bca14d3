"""The report says above the heads where an answer deserves little trust, and lists every answer that there is."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, replace

from inception_model.analysis.doubt import doubt_of
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture
from inception_model.report import Findings, collect, manifest, render
from tests.analysis.test_ood import learnt
from tests.report.pages import BRIEF


def test_the_sentence_is_the_library_s_and_stands_above_the_heads(small: Classifier, photo: Photo) -> None:
    known = learnt(small)
    findings = collect(small, photo, BRIEF, known=known)
    wanted = doubt_of(small, capture(small, small.prepare(photo.image)), known)
    assert wanted is not None
    assert wanted.unlike
    assert manifest(findings, photo)["doubt"] == json.loads(json.dumps(asdict(wanted)))
    page = html.unescape(render(findings, photo))
    assert page.index(wanted.sentence) < page.index("Never trained, so none of their noise")


def test_where_nothing_speaks_against_the_answer_nothing_is_said(findings: Findings, photo: Photo) -> None:
    assert findings.facts["doubt"]["unlike"] is None
    silent = replace(findings, facts={**findings.facts, "doubt": {**findings.facts["doubt"], "sentence": ""}})
    assert '<p class="say"></p>' not in render(silent, photo)
    assert "Unlike anything" not in render(findings, photo)


def test_every_answer_is_listed_as_text(small: Classifier, photo: Photo, findings: Findings) -> None:
    assert findings.facts["network"]["labels"] == [label.words for label in small.checkpoint.labels]
    page = render(findings, photo)
    for label in small.checkpoint.labels:
        assert f"&lt;b&gt;thing&lt;/b&gt; {label.index} &amp; co" in page
