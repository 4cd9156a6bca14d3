"""OpenMetrics text: read back by a parser of its grammar (tests/openmetrics.py), with the numbers that went in."""

from __future__ import annotations

import threading

import pytest

from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.serving.metrics import Counter, Gauge, Histogram, exposition
from inception_model.serving.service import InferenceService
from tests.openmetrics import FormatError, parse


def test_what_is_counted_is_what_is_read() -> None:
    counter = Counter("requests", 'Of "all"\\ kinds,\nby route.', ("route", "status"))
    odd = 'a"b\\c\nd{},= e'
    for route, status in [(odd, "200"), ("/api", "200"), (odd, "200"), (odd, "404")]:
        counter.add(route, status)
    [family] = parse(exposition([counter])).values()
    assert (family.kind, family.help) == ("counter", 'Of "all"\\ kinds,\nby route.')
    assert {(s.labels["route"], s.labels["status"]): s.value for s in family.samples} == {
        (odd, "200"): 2,
        (odd, "404"): 1,
        ("/api", "200"): 1,
    }
    with pytest.raises(ValueError, match="route"):
        counter.add("/api")


def test_a_bucket_counts_all_that_took_no_longer() -> None:
    histogram = Histogram("work_seconds", "Work.", (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        histogram.observe(seconds)
    [family] = parse(exposition([histogram])).values()
    assert family.unit == "seconds"
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name == "work_seconds_bucket"}
    assert buckets == {"0.1": 2, "1.0": 3, "+Inf": 4}
    rest = {s.name: s.value for s in family.samples if "le" not in s.labels}
    assert rest == {"work_seconds_count": 4, "work_seconds_sum": 0.05 + 0.1 + 0.5 + 3.0}


def test_a_gauge_that_nobody_knows_has_no_sample() -> None:
    found = parse(exposition([Gauge("held_bytes", "Held.", lambda: None, "bytes"), Gauge("here", "Here.", lambda: 3)]))
    assert found["held_bytes"].samples == []
    assert [s.value for s in found["here"].samples] == [3]


def test_nothing_is_lost_between_threads() -> None:
    counter, histogram = Counter("c", "C."), Histogram("h_seconds", "H.")

    def work() -> None:
        for _ in range(500):
            counter.add()
            histogram.observe(0.2)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = parse(exposition([counter, histogram]))
    assert [s.value for s in found["c"].samples] == [4000]
    assert {s.value for s in found["h_seconds"].samples if s.name == "h_seconds_count"} == {4000}


@pytest.mark.parametrize(
    "text",
    [
        "# TYPE a gauge\na 1\n",
        "# TYPE a gauge\na 1\n# EOF",
        "# TYPE a gauge\na 1\n# EOF\na 2\n",
        "# TYPE a counter\na 1\n# EOF\n",
        '# TYPE a gauge\na{b="c} 1\n# EOF\n',
        "# TYPE a gauge\na one\n# EOF\n",
        "b 1\n# EOF\n",
        "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",
        '# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n# EOF\n',
        '# TYPE h histogram\nh_bucket{le="1.0"} 2\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n# EOF\n',
        '# TYPE h histogram\nh_bucket{le="1.0"} 2\nh_count 2\nh_sum 1\n# EOF\n',
    ],
)
def test_the_parser_refuses_what_openmetrics_refuses(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)


def test_looks_are_told_once_and_remembered_ones_are_not(tiny_classifier: Classifier, cat: Photo) -> None:
    seen: list[float] = []
    service = InferenceService(tiny_classifier, looked=seen.append)
    first, again = service.look(cat), service.look(cat)
    service.close()
    assert first is again
    assert seen == [first.seconds]
