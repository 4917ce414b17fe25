"""A server's own timings during a test: Prometheus histograms and summaries, read before and after."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from loadtest.errors import LoadTestError

_TIMEOUT_S = 10.0
_LARGEST_BYTES = 64 * 2**20

Totals = dict[str, tuple[float, float]]


def read_metrics(url: str) -> Totals:
    """Sum and count of each series of every histogram and summary at `url`, by its name with labels.

    Raises LoadTestError where the address does not answer with Prometheus' text format.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise LoadTestError(f"--server-metrics: {url!r} is no http address")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            text = answer.read(_LARGEST_BYTES).decode()
        return totals(text)
    except (OSError, ValueError) as error:
        raise LoadTestError(f"--server-metrics: {url} cannot be read: {error}") from error


def totals(text: str) -> Totals:
    """Sum and count per series of an exposition; raises ValueError where it is malformed."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        if family.type in ("histogram", "summary"):
            for sample in family.samples:
                series = _series(family.name, sample.labels)
                if sample.name == f"{family.name}_sum":
                    sums[series] = sample.value
                elif sample.name == f"{family.name}_count":
                    counts[series] = sample.value
    return {series: (sums[series], counts[series]) for series in sums.keys() & counts.keys()}


def during(before: Totals, after: Totals) -> dict[str, dict[str, float]]:
    """Mean and count of the observations between two readings.

    A series that was reset meanwhile counts from its reset.
    """
    observed = {}
    for series, (total, count) in sorted(after.items()):
        total_before, count_before = before.get(series, (0.0, 0.0))
        if count < count_before:
            total_before, count_before = 0.0, 0.0
        if count > count_before:
            seen = count - count_before
            observed[series] = {"mean": (total - total_before) / seen, "count": seen}
    return observed


def _series(name: str, labels: Mapping[str, str]) -> str:
    written = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{written}}}" if written else name
