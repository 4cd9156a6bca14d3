"""Costs by arithmetic, against the reference tables, torch's own counter, torchvision's totals and real modules."""

from __future__ import annotations

import argparse
import dataclasses
import json
import threading

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inception_model.architecture.network import ConvUnit, GoogLeNet, InceptionBlock
from inception_model.architecture.spec import NetworkSpec
from inception_model.architecture.variants import SPECS, get_spec
from inception_model.cli import compute
from inception_model.cost.layers import NAIVE, NaiveKind, unit_widths, with_widths
from inception_model.cost.naive import NaiveBlock
from inception_model.cost.paper_figures import DISAGREEMENTS, PRINTED
from inception_model.cost.report import MIN_SIZE, ComputeReport, Cost, compute_report
from inception_model.cost.timing import measure_module, measure_modules
from inception_model.progress import Cancelled
from tests.compare import assert_close

# Row: weights, params, MACs. Computed by hand from Table 1's widths (conv bias, 224 x 224, 1,000 classes).
EXACT = {
    "conv1": (9_408, 9_472, 118_013_952),
    "conv2": (114_688, 114_944, 359_661_568),
    "3a": (163_328, 163_696, 128_049_152),
    "3b": (388_096, 388_736, 304_267_264),
    "4a": (375_552, 376_176, 73_608_192),
    "4b": (448_512, 449_160, 87_908_352),
    "4c": (509_440, 510_104, 99_850_240),
    "4d": (604_672, 605_376, 118_515_712),
    "4e": (867_328, 868_352, 169_996_288),
    "5a": (1_042_432, 1_043_456, 51_079_168),
    "5b": (1_442_816, 1_444_080, 70_697_984),
    "linear": (1_024_000, 1_025_000, 1_024_000),
}


def meta_network(spec: NetworkSpec) -> GoogLeNet:
    """The real network without memory: shapes and operators only."""
    with torch.device("meta"):
        return GoogLeNet(spec).eval()


def counted_macs(spec: NetworkSpec, size: int, *, heads: bool) -> dict[str, int]:
    """MACs by module name, counted by torch's dispatcher on the real network ("Global" is all of it)."""
    network = meta_network(spec)
    if heads:
        network.forward = network.forward_heads  # type: ignore[assignment]
    with FlopCounterMode(display=False, depth=3) as counter:
        network(torch.zeros(1, 3, size, size, device="meta"))
    counts = {name.removeprefix("GoogLeNet."): sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    assert all(count % 2 == 0 for count in counts.values())
    return {name: count // 2 for name, count in counts.items()}


def test_every_row_of_table_1_is_exact() -> None:
    report = compute_report(get_spec("paper"))
    assert {r.name: (r.cost.weights, r.cost.params, r.cost.macs) for r in report.rows} == EXACT
    total = report.total
    assert (total.weights, total.params, total.macs) == (6_990_272, 6_998_552, 1_582_671_872)
    aux = {name: (cost.weights, cost.params, cost.macs) for name, cost in report.aux.items()}
    assert aux == {"aux1": (3_186_688, 3_188_840, 4_169_728), "aux2": (3_188_736, 3_190_888, 4_202_496)}
    assert total.params + sum(cost.params for cost in report.aux.values()) == 13_378_280


@pytest.mark.parametrize(
    ("kind", "modules", "network"),
    [
        ("same-outputs", 3_947_847_680, 4_426_547_200),
        ("no-projections", 3_881_213_952, 3_881_213_952 + 1_582_671_872 - 1_103_972_352),
        # The classifier reads 4,944 channels there instead of 1,024.
        ("figure-2a", 12_085_441_536, 12_085_441_536 + 118_013_952 + 359_661_568 + 4_944_000),
    ],
)
def test_the_three_meanings_of_naive(kind: NaiveKind, modules: int, network: int) -> None:
    report = compute_report(get_spec("paper"), naive=kind)
    real, naive = report.modules_total()
    assert (real.macs, real.weights) == (1_103_972_352, 5_842_176)
    assert naive.macs == modules
    assert report.total_naive.macs == network
    if kind == "figure-2a":
        assert naive.weights == 92_451_840


def test_savings_of_single_branches() -> None:
    report = compute_report(get_spec("paper"))
    by_name = {(b.module, b.branch): (b.cost.macs, b.naive.macs) for b in report.branches}
    assert by_name["3a", "5x5"] == (12_443_648, 120_422_400)
    assert by_name["3a", "3x3"] == (101_154_816, 173_408_256)
    assert report.row("4a").naive.macs == 313_098_240
    for row in report.modules:
        assert sum(b.cost.macs for b in report.of_module(row.name)) == row.cost.macs
        assert sum(b.naive.params for b in report.of_module(row.name)) == row.naive.params


@pytest.mark.parametrize("name", SPECS)
def test_torchs_counter_and_parameters_agree(name: str) -> None:
    spec = get_spec(name)
    report = compute_report(spec)
    counted = counted_macs(spec, 224, heads=True)
    assert counted["Global"] == report.total.macs + sum(cost.macs for cost in report.aux.values())
    for row in report.modules:
        assert counted[row.name] == row.cost.macs
        for layer in report.module_layers(row.name):
            assert counted[f"{row.name}.{layer.name}"] == layer.macs
    for head, cost in report.aux.items():
        assert counted[head] == cost.macs
    network = meta_network(spec)
    trained = report.total.params_trained + sum(cost.params_trained for cost in report.aux.values())
    assert trained == sum(p.numel() for p in network.parameters())
    folded = report.total.params + sum(cost.params for cost in report.aux.values())
    assert folded == sum(p.numel() for p in meta_network(spec.folded()).parameters())


@pytest.mark.parametrize("size", [MIN_SIZE, 33, 97, 128, 225])
@pytest.mark.parametrize("name", ["paper", "torchvision", "inception5h"])
def test_torchs_counter_agrees_at_any_size(name: str, size: int) -> None:
    report = compute_report(get_spec(name), size)
    assert counted_macs(report.spec, size, heads=False)["Global"] == report.total.macs


def test_torchvisions_published_totals() -> None:
    report = compute_report(get_spec("torchvision"))
    assert report.total.params_trained == 6_624_904
    assert report.total.params_trained + sum(c.params_trained for c in report.aux.values()) == 13_004_888
    assert round(report.total.macs / 1e9, 3) == 1.498
    assert compute_report(get_spec("inception5h")).total.params == 7_066_380
    assert report.total.params < report.total.params_trained


def test_the_head_that_cannot_take_a_size_is_named_and_left_out() -> None:
    report = compute_report(get_spec("paper"), 192)
    assert report.aux == {}
    assert "3 x 3 positions at 192 px" in report.aux_left_out["aux1"]
    with pytest.raises(ValueError, match="4x4 map"):
        counted_macs(get_spec("paper"), 192, heads=True)
    assert set(compute_report(get_spec("batchnorm"), 192).aux) == {"aux1", "aux2"}


def test_changed_widths_cost_what_the_changed_network_costs() -> None:
    spec = with_widths(get_spec("paper"), "4b", {"3x3_reduce": 7, "5x5": 33, "pool_proj": 5})
    assert unit_widths(spec.block("4b"))["3x3_reduce"] == 7
    assert spec.block("4c").in_channels == 512 - 31 - 59
    assert counted_macs(spec, 224, heads=False)["Global"] == compute_report(spec).total.macs
    assert with_widths(spec, "4b", unit_widths(get_spec("paper").block("4b"))) == get_spec("paper")
    for name in ("torchvision", "inception5h"):
        assert with_widths(get_spec(name), "3a", {}) == get_spec(name)
    wider = with_widths(get_spec("paper"), "stem", {"conv1": 50, "conv2_reduce": 40, "conv2": 100})
    assert wider.block("3a").in_channels == 100
    assert counted_macs(wider, 224, heads=False)["Global"] == compute_report(wider).total.macs


def test_wrong_questions_are_refused_with_what_is_allowed() -> None:
    spec = get_spec("paper")
    with pytest.raises(ValueError, match="32 x 32"):
        compute_report(spec, 31)
    with pytest.raises(ValueError, match="same-outputs, no-projections, figure-2a"):
        compute_report(spec, naive="silly")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="width zero"):
        compute_report(with_widths(spec, "3a", {"1x1": 0}))
    with pytest.raises(ValueError, match="number of classes"):
        compute_report(dataclasses.replace(spec, classes=0))
    with pytest.raises(KeyError, match="3x3_reduce"):
        with_widths(spec, "3a", {"7x7": 3})
    with pytest.raises(KeyError, match="conv2_reduce"):
        with_widths(spec, "stem", {"1x1": 3})
    with pytest.raises(ValueError, match="width zero"):
        compute_report(with_widths(spec, "stem", {"conv2": 0}))
    with pytest.raises(KeyError, match="conv1, conv2, 3a"):
        compute_report(spec).row("pool1")


@pytest.mark.parametrize("kind", NAIVE)
def test_the_real_naive_module_costs_what_the_report_says(kind: NaiveKind) -> None:
    spec = get_spec("paper")
    report = compute_report(spec, naive=kind)
    channels = spec.stem.conv2
    for block in spec.blocks:
        spec_here = dataclasses.replace(block, in_channels=channels) if kind == "figure-2a" else block
        row = report.row(block.name)
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            module = NaiveBlock(spec_here, kind)
            y = module(torch.zeros(1, spec_here.in_channels, row.side, row.side))
        assert counter.get_total_flops() == 2 * row.naive.macs
        assert sum(p.numel() for p in module.parameters()) == row.naive.params
        if kind == "same-outputs":
            assert y.shape[1] == block.out_channels
        channels = y.shape[1]
    if kind == "figure-2a":
        assert channels == 4_944


def test_a_reduced_module_can_equal_a_naive_one() -> None:
    """With reductions that pass the (non-negative) input on unchanged, both modules are the same function."""
    spec = dataclasses.replace(get_spec("tiny").block("3a"), three_reduce=12, five_reduce=12)
    real, naive = InceptionBlock(spec, None), NaiveBlock(spec)
    with torch.no_grad():
        for name in ("3x3_reduce", "5x5_reduce"):
            real.unit(name).conv.weight.copy_(torch.eye(12).view(12, 12, 1, 1))
            torch.nn.init.zeros_(_bias(real.unit(name)))
        for index, name in enumerate(("1x1", "3x3", "5x5", "pool_proj")):
            twin = next(m for m in naive.branches[index].modules() if isinstance(m, ConvUnit))
            real.unit(name).load_state_dict(twin.state_dict())
        x = torch.rand(2, 12, 9, 9)
        assert_close(real(x), naive(x), 1e-6)


def _bias(unit: ConvUnit) -> Tensor:
    assert unit.conv.bias is not None
    return unit.conv.bias


def test_measured_time_is_of_both_modules_in_turns() -> None:
    spec = get_spec("paper")
    timing = measure_module(spec.block("5a"), 7, runs=5)
    assert (timing.module, timing.device, timing.batch, timing.side) == ("5a", "cpu", 1, 7)
    assert len(timing.reduced) == len(timing.naive) == 5
    assert min(timing.reduced + timing.naive) > 0
    assert timing.naive_seconds == sorted(timing.naive)[2]
    assert timing.ratio == sorted(n / r for n, r in zip(timing.naive, timing.reduced, strict=True))[2]
    with pytest.raises(ValueError, match="runs"):
        measure_module(spec.block("5a"), 7, runs=0)


@pytest.mark.parametrize("kind", NAIVE)
def test_a_whole_network_is_measured_with_progress_and_can_be_stopped(kind: NaiveKind) -> None:
    seen: list[tuple[int, int]] = []
    spec = get_spec("tiny")
    found = measure_modules(spec, 64, kind=kind, runs=1, progress=lambda done, total: seen.append((done, total)))
    assert [t.module for t in found] == list(spec.module_names)
    assert [t.side for t in found] == [8, 8, 4, 4, 4, 4, 4, 2, 2]
    assert seen == [(i, 9) for i in range(10)]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        measure_modules(spec, 64, cancel=stop)


def test_the_explanations_of_the_papers_columns_hold() -> None:
    paper, release = compute_report(get_spec("paper")), compute_report(get_spec("inception5h"))
    separable = 3 * 8 * 49 + 3 * 8 * 64
    assert (round(separable / 1000, 1), round(separable * 112**2 / 1e6)) == (2.7, 34)
    assert paper.row("conv2").cost.weights == 112 * 1024
    assert paper.row("linear").cost.weights == 1000 * 1024
    assert [round(release.row(m).cost.params / 1024) for m in ("4a", "4b")] == [364, 437]
    assert round(release.row("5a").cost.macs / 1e6) == PRINTED["5a"].ops / 1e6 == 54
    assert round(paper.row("5a").cost.macs / 1e6) == 51
    gaps = {m: PRINTED[m].params * 1.024 / paper.row(m).cost.weights - 1 for m in ("4c", "4d", "4e", "5b")}
    for module, gap in gaps.items():
        assert f"{-gap:.1%} below" in DISAGREEMENTS[module]
    for widths in (paper, release):
        assert round(widths.row("5a").cost.weights / 1024) != 1072
    assert sum(row.ops for row in PRINTED.values()) == 1_502_000_000
    worst = PRINTED["4c"].params / paper.row("4c").cost.weights - 1
    assert round(worst, 3) == -0.091
    assert all(row.comparable for row in paper.rows)
    assert not release.row("4a").comparable
    assert not any(row.comparable for row in compute_report(get_spec("paper"), 128).modules)


def run_command(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    compute.add_parser(parser.add_subparsers())
    args = parser.parse_args(["compute", *argv])
    return int(args.run(args))


def test_command_prints_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("--spec", "paper", "--classes", "1000", "--size", "224", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["spec"], answer["size"]) == ("paper", 224)
    row = next(r for r in answer["rows"] if r["name"] == "conv1")
    wanted = {"weights": 9408, "params": 9472, "macs": 118_013_952, "paper_params": 2700, "paper_ops": 34_000_000}
    assert row.items() >= wanted.items()
    assert {"macs_naive", "params_naive"} <= row.keys()
    assert len(answer["branches"]) == 36
    assert answer["branches"][2].items() >= {"module": "3a", "branch": "5x5", "macs_naive": 120_422_400}.items()
    assert answer["total"]["macs"] == 1_582_671_872
    assert answer["aux"]["aux2"]["weights"] == 3_188_736


def test_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("--naive", "figure-2a") == 0
    out = capsys.readouterr().out
    assert "12,085,441,536" in out
    assert "1,582,671,872" in out
    assert "separable 7x7" in out
    lines = out.splitlines()
    conv1 = next(line for line in lines if line.startswith("conv1"))
    assert conv1.split()[-4:] == ["2.7K", "-71.3%", "34M", "-71.2%*"]
    for argv in (["--size", "128"], ["--spec", "tiny"]):
        assert run_command(*argv) == 0
        assert "separable" not in capsys.readouterr().out


def test_costs_add_up() -> None:
    report: ComputeReport = compute_report(get_spec("batchnorm", 200))
    assert report.total == Cost.of(report.layers)
    assert sum(row.cost.params_trained for row in report.rows) == report.total.params_trained
