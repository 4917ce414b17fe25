"""What the supervisor counts is told to those that read the folder of counts, whatever is in its file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import Counter

from foundation.telemetry.metrics.supervision_metrics import FILE, SupervisionMetrics, supervised
from inspection.metric_samples import MetricSamples


def told(folder: Path) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in supervised(folder)
        for sample in metric.samples
    }


def test_losses_and_restarts_are_read_from_the_folder(tmp_path: Path) -> None:
    counts = SupervisionMetrics(tmp_path, lambda: 1_000.0)
    # Tests before this one may have counted in this process.
    before = told(tmp_path)
    counts.lost("learner")
    counts.failed("learner")
    counts.lost("console")
    counts.restarted("console")
    found = told(tmp_path)
    added = {name: value - before[name] for name, value in found.items() if name[0].endswith("_total")}
    assert found["shopfront_part_lost", "learner"] == 1
    assert found["shopfront_part_lost", "console"] == 0
    assert found["shopfront_part_lost_timestamp_seconds", "console"] == 1_000
    assert added["shopfront_restarts_total", "console", "restarted"] == 1
    assert added["shopfront_restarts_total", "learner", "failed"] == 1
    assert sum(added.values()) == 2
    samples = asyncio.run(MetricSamples(tmp_path).read(["shopfront_part_lost"])).samples
    assert {each.labels["part"] for each in samples} == {"router", "triton", "console", "learner"}


def test_what_else_is_served_beside_it_is_not_in_the_file(tmp_path: Path) -> None:
    counts = SupervisionMetrics(tmp_path)
    many = Counter("shopfront_others", "As of the processes.", ["name"], registry=counts.registry)
    for name in range(2_000):
        many.labels(str(name)).inc()
    counts.lost("triton")
    found = told(tmp_path)
    assert found["shopfront_part_lost", "triton"] == 1
    assert {name for name, *_ in found} == {
        "shopfront_restarts_total",
        "shopfront_part_lost",
        "shopfront_part_lost_timestamp_seconds",
    }


@pytest.mark.parametrize("content", [b"", b"[[1", b"{}", b"[[1, 2]]", b'[["a", [], 1]]', b"\xff", b"7"])
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert told(tmp_path) == {}


def test_a_folder_that_cannot_be_written_costs_the_figures_only(tmp_path: Path) -> None:
    SupervisionMetrics(tmp_path / "absent").lost("router")
    assert told(tmp_path / "absent") == {}
