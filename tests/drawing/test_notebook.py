"""What a Trace, an Attribution and a ComputeReport show in a notebook, read back from their HTML."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.architecture.spec import BRANCHES, NetworkSpec
from inception_model.architecture.variants import SPECS, get_spec, tiny
from inception_model.attribution import Attribution, explain
from inception_model.cost.report import ComputeReport, compute_report
from inception_model.drawing.colormaps import TABLES
from inception_model.drawing.notebook import share
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import Trace, capture
from tests.random_networks import noise_images, random_classifier

HOSTILE = "<img src=x onerror=alert(1)>"
THREE_DIGITS = 5.1e-3
"""Numbers are written in three significant digits."""
VOID = {"img", "br", "hr", "meta", "link", "input"}


class Page(HTMLParser):
    """Tags with their attributes, all text, and every table as rows of cells' texts with their titles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self.titles: list[list[list[str]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
            self.titles.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            self.titles[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.titles[-1][-1].append(given.get("title", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, place: int) -> dict[str, list[str]]:
        """A table's rows without the first cell, by the first cell."""
        return {row[0].strip(): [" ".join(cell.split()) for cell in row[1:]] for row in self.tables[place]}


def page_of(answer: Trace | Attribution | ComputeReport) -> Page:
    """Its HTML, parsed, after a look that it is self-contained and safe in light and dark."""
    html = answer._repr_html_()
    page = Page(html)
    for tag, given in page.tags:
        assert tag not in ("script", "style", "link", "iframe", "object")
        assert not [name for name in given if name.startswith("on") or name in ("href", "srcset", "id")]
        assert given.get("src", "data:").startswith("data:")
        assert "url(" not in given.get("style", "")
    assert "color:currentColor" in page.tags[0][1]["style"]
    assert "background" not in page.tags[0][1]["style"]
    return page


def small(name: str) -> NetworkSpec:
    """Table 1 divided by sixteen, with what sets the variant apart from the others."""
    spec, base = get_spec(name), tiny()
    if name == "tiny":
        return base
    blocks = tuple(replace(block, five_kernel=spec.blocks[0].five_kernel) for block in base.blocks)
    stem = replace(base.stem, lrn=spec.stem.lrn, conv1_padding=spec.stem.conv1_padding)
    aux = tuple(replace(own, pool=theirs.pool) for own, theirs in zip(base.aux, spec.aux, strict=False))
    return replace(base, stem=stem, blocks=blocks, pools=spec.pools, aux=aux, batch_norm=spec.batch_norm)


@pytest.fixture(scope="module")
def attribution(tiny_classifier: Classifier) -> Attribution:
    return explain(tiny_classifier, noise_images(1), "integrated_gradients", options={"steps": 4})


def test_a_trace_shows_the_first_images_classes_and_every_branch(tiny_classifier: Classifier) -> None:
    trace = capture(tiny_classifier, noise_images(2))
    page = page_of(trace)
    assert "N = 2" in page.text
    names, answers = page.tables[0]
    assert [name.strip() for name in names] == ["aux1", "aux2", "main"]
    for head, text in zip(("aux1", "aux2", "main"), answers, strict=True):
        wanted = trace.logits(head)[0].softmax(0).numpy()
        lines = [line.split() for line in text.split("\n") if line.strip()]
        assert [int(line[2]) for line in lines] == np.argsort(-trace.logits(head)[0].numpy())[:5].tolist()
        for percent, _, index in lines:
            # Whole percents, or tenths below one percent.
            assert abs(float(percent.removesuffix("%")) - 100 * wanted[int(index)]) <= 0.5
    rows = page.table(1)
    assert [name for name in rows if name != "module"] == list(trace.blocks)
    for name, block in trace.blocks.items():
        size, *cells = rows[name]
        assert [int(part) for part in size.split(" × ")] == list(block.input.shape)
        for kind, cell in zip(BRANCHES, cells, strict=True):
            channels, _, mean = cell.split()
            assert int(channels) == block.branches[kind].output.shape[1]
            assert float(mean) == pytest.approx(float(block.branches[kind].output.mean()), rel=THREE_DIGITS)


def test_the_bars_of_a_trace_are_as_long_as_their_values(tiny_classifier: Classifier) -> None:
    trace = capture(tiny_classifier, noise_images(1))
    styles = [given["style"] for tag, given in page_of(trace).tags if tag == "span" and "width:" in given["style"]]
    lengths = [float(style.split("width:")[1].split("%")[0]) for style in styles if "height:100%" in style]
    chances = [p for head in trace.heads.present for p in trace.probabilities(head)[0].sort(descending=True)[0][:5]]
    means = [trace.blocks[name].branches[kind].output.mean() for name in trace.blocks for kind in BRANCHES]
    wanted = [100 * float(value) for value in (*chances, *(mean / max(means) for mean in means))]
    assert len(lengths) == len(wanted)
    assert max(abs(a - b) for a, b in zip(lengths, wanted, strict=True)) <= 0.06
    assert [share(value, 2.0) for value in (0.5, 3.0, -1.0, float("nan"))] == ["25.0%", "100.0%", "0.0%", "0%"]
    assert share(1.0, 0.0) == "0.0%"


def test_an_untrained_head_shows_no_predictions() -> None:
    trace = capture(random_classifier(tiny(), trained=("main",)), noise_images(1))
    assert trace.untrained == ("aux1", "aux2")
    _, (first, second, main) = page_of(trace).tables[0]
    assert first.strip() == second.strip() == "never trained: no prediction"
    assert "class" in main


def test_an_attribution_shows_its_numbers(attribution: Attribution) -> None:
    rows = {name: cells[0] for name, cells in page_of(attribution).table(0).items()}
    assert rows["method"] == "integrated_gradients"
    assert (rows["head"], rows["target"]) == ("main", attribution.target.name)
    assert attribution.baseline_score is not None
    assert attribution.completeness_error is not None
    value, name = rows["baseline score"].split()
    assert name == "(black)"
    for text, wanted in (
        (rows["score"], attribution.score),
        (value, attribution.baseline_score),
        (rows["sum"], attribution.total),
    ):
        assert float(text) == pytest.approx(wanted, rel=THREE_DIGITS)
    assert abs(float(rows["completeness error"].removesuffix("%")) - 100 * attribution.completeness_error) <= 0.5


@pytest.mark.parametrize("method", ["integrated_gradients", "gradcam"])
def test_the_picture_is_the_heatmap_in_signed_colours(tiny_classifier: Classifier, method: str) -> None:
    found = explain(tiny_classifier, noise_images(1), method)
    page = page_of(found)
    (picture,) = [given for tag, given in page.tags if tag == "img"]
    head, data = picture["src"].split(",")
    assert head == "data:image/png;base64"
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(data))))
    assert pixels.shape == (*found.heatmap.shape, 3)
    values = found.heatmap.numpy()
    place = np.rint(127 + 127 * values.astype(np.float64) / np.abs(values).max()).astype(int)
    steps = np.array([np.abs(TABLES["signed"].astype(int) - pixel).sum(1).argmin() for pixel in pixels.reshape(-1, 3)])
    assert np.abs(steps - place.reshape(-1)).max() <= 1
    for word in (" × ".join(map(str, values.shape)), method, found.target.name):
        assert word in picture["alt"]
    if found.layer is not None:
        assert page.table(0)["layer"] == [found.layer]
        assert page.table(0)["completeness error"] == ["not promised"]


def test_hostile_labels_are_text(attribution: Attribution) -> None:
    heatmap = torch.full((7, 7), -1.0)
    hostile = replace(
        attribution, target=Target(1, None, HOSTILE), layer="5b", heatmap=heatmap, values=heatmap[None], complete=False
    )
    assert HOSTILE in hostile.note
    assert HOSTILE not in hostile._repr_html_()
    page = page_of(hostile)
    assert [tag for tag, _ in page.tags].count("img") == 1
    assert page.text.count(HOSTILE) == 2, "as the target and in the note"
    assert HOSTILE in next(given["alt"] for tag, given in page.tags if tag == "img")
    quoted = page_of(replace(attribution, target=Target(1, None, '" onerror="alert(1)')))
    assert next(set(given) for tag, given in quoted.tags if tag == "img") == {"src", "style", "alt"}
    assert "class 1 − class 4" in page_of(replace(attribution, target=Target(1, 4))).text


@pytest.mark.parametrize("size", [224, 64])
def test_a_report_shows_every_row_and_total(size: int) -> None:
    report = compute_report(get_spec("paper"), size)
    page = page_of(report)
    titles = {
        row[0].strip(): [int(title.replace(",", "")) for title in title_row if title]
        for row, title_row in zip(page.tables[0], page.titles[0], strict=True)
    }
    shown = page.table(0)
    own, naive = report.modules_total()
    pairs = {row.name: (row.cost, row.naive) for row in report.rows}
    pairs |= {"total": (report.total, report.total_naive), "modules": (own, naive)}
    for name, (cost, twin) in pairs.items():
        assert titles[name] == [cost.weights, cost.params, cost.macs, twin.macs]
        assert float(shown[name][5].removesuffix(" ×")) == pytest.approx(twin.macs / cost.macs, rel=THREE_DIGITS)
        for text, value in zip(shown[name][1:5], titles[name], strict=True):
            digits, _, letter = text.partition(" ")
            unit = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[letter]
            last_digit = 10 ** -len(digits.partition(".")[2])
            assert abs(float(digits) - value / unit) <= 0.501 * last_digit
    for row in report.rows:
        assert shown[row.name][0] == f"{row.channels} × {row.side} × {row.side}"
    for head, cost in report.aux.items():
        assert titles[head] == [cost.weights, cost.params, cost.macs]
    assert set(titles) == {"row", *pairs, *report.aux}
    for head in report.aux_left_out:
        assert f"{head} is left out" in page.text


def test_the_papers_figures_stand_where_they_can_be_compared() -> None:
    report = compute_report(get_spec("paper"))
    shown = page_of(report).table(0)
    for row in report.rows:
        if row.printed is not None and row.comparable:
            params, params_off, ops, ops_off = shown[row.name][6:]
            assert (params, ops) == (row.printed.params_text, row.printed.ops_text)
            for text, paper, ours in (
                (params_off, row.printed.params, row.cost.weights),
                (ops_off, row.printed.ops, row.cost.macs),
            ):
                off = float(text.removesuffix("%").replace("−", "-"))
                assert abs(off - 100 * (paper - ours) / ours) <= 0.051
    assert "paper's params" in shown["row"]
    assert "paper's params" not in page_of(compute_report(tiny())).table(0)["row"]


@pytest.mark.parametrize("name", SPECS)
def test_every_variant_draws_itself(name: str) -> None:
    spec = small(name)
    classifier = random_classifier(spec)
    trace = page_of(capture(classifier, noise_images(1)))
    assert [cell.strip() for cell in trace.tables[0][0]] == list(spec.heads)
    assert len(spec.heads) == (1 if name == "inception5h" else 3)
    assert set(page_of(compute_report(spec)).table(0)) >= {*spec.module_names, "total"}
    assert page_of(explain(classifier, noise_images(1), "saliency")).table(0)["head"] == ["main"]
