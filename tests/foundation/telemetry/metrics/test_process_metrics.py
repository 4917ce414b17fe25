"""Groups of metrics: one of each per process, declared beside the code that counts."""

from __future__ import annotations

import pytest

from foundation.telemetry.metrics import ProcessMetrics
from registration.plugins import load_plugins
from server.metric_groups import METRIC_GROUPS, open_groups
from tests.foundation.telemetry.metrics import plugin_metrics


def test_a_group_is_made_once_per_process_and_counts() -> None:
    metrics = ProcessMetrics()
    group = metrics.group(plugin_metrics.VisitMetrics)
    assert metrics.group(plugin_metrics.VisitMetrics) is group
    assert ProcessMetrics().group(plugin_metrics.VisitMetrics) is not group
    group.visits["home",].inc()
    group.waiting.set(3)
    assert metrics.registry.get_sample_value("shopfront_visits_total", {"page": "home"}) == 1
    assert metrics.registry.get_sample_value("shopfront_visits_waiting") == 3


def test_two_groups_that_declare_one_metric_are_refused() -> None:
    class Again(plugin_metrics.VisitMetrics):
        """Declares the same names."""

    metrics = ProcessMetrics()
    metrics.group(plugin_metrics.VisitMetrics)
    with pytest.raises(ValueError, match="shopfront_visits"):
        metrics.group(Again)


def test_a_plug_ins_group_is_opened_with_the_built_in_ones() -> None:
    load_plugins([plugin_metrics.__name__], [METRIC_GROUPS])
    try:
        names = {family.name for family in open_groups(ProcessMetrics()).registry.collect()}
    finally:
        METRIC_GROUPS.remove(plugin_metrics.__name__)
    assert {"shopfront_visits", "shopfront_requests", "shopfront_rollout_answers"} <= names


def test_opening_the_groups_again_changes_nothing() -> None:
    metrics = open_groups(ProcessMetrics())
    before = {family.name for family in metrics.registry.collect()}
    assert {family.name for family in open_groups(metrics).registry.collect()} == before
