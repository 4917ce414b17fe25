"""Rules, dashboards, the manual and the code speak of the same metrics, and the rules do what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric

from environment.metrics import EnvironmentMetrics
from foundation.telemetry.metrics import ProcessMetrics
from foundation.telemetry.metrics.supervision_metrics import SupervisionMetrics
from learning.metrics import LearnerMetrics
from server.metric_groups import open_groups
from tests.deploy.prometheus_tools import ROOT, run_promtool

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
MANUAL = ROOT / "docs" / "manual" / "observability.md"
# Made by the endpoint out of another gauge.
DERIVED = {"shopfront_snapshot_age_seconds": "gauge"}
# Of others: Prometheus itself, Triton (its metrics page), cAdvisor.
FOREIGN = re.compile(r"^(up|nv_[a-z_]+|container_[a-z_]+)$")
TRITON = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_inference_pending_request_count",
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_cpu_utilization",
}


def families() -> list[Metric]:
    """Every metric of the router and of its supervisor."""
    metrics = open_groups(ProcessMetrics())
    return [*metrics.registry.collect(), *SupervisionMetrics().registry.collect()]


@cache
def series() -> set[str]:
    """Names of the series the router exports."""
    names = set(DERIVED)
    for family in families():
        match family.type:
            case "counter":
                names.add(f"{family.name}_total")
            case "histogram":
                names.update(f"{family.name}{suffix}" for suffix in ("_bucket", "_count", "_sum"))
            case _:
                names.add(family.name)
    return names


@cache
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]


def selectors(expression: str) -> set[str]:
    """Metric names that an expression selects; parses it with Prometheus' grammar."""
    plain = re.sub(r"\$__rate_interval", "5m", expression)
    plain = re.sub(r"\$[a-z]+", "x", plain)
    promql_parser.parse(plain)
    # Without label matchers and grouping, what is left that is no function is a metric.
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"", " ", plain)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[\w:])", bare))
    return {word for word in words if "_" in word or ":" in word or word == "up"} - {
        "group_left",
        "group_right",
    }


def test_the_names_of_selectors_are_found() -> None:
    found = selectors(
        'sum by (a_b) (rate(x_total{c="d_e"}[5m])) / on (s_t) group_left (u) up{job="j_k"} > s:t_x'
    )
    assert found == {"x_total", "up", "s:t_x"}


@pytest.mark.parametrize(("where", "expression"), list(dashboard_expressions()))
def test_every_panel_asks_for_what_is_exported(where: str, expression: str) -> None:
    names = selectors(expression)
    assert names
    for name in names:
        known = name in series() | recorded() or FOREIGN.match(name)
        assert known, f"{where} asks for {name}, which nothing exports"
        if name.startswith("nv_"):
            assert name in TRITON


def test_every_rule_asks_for_what_is_exported() -> None:
    for rule in rules():
        for name in selectors(rule["expr"]):
            known = name in series() | recorded() or FOREIGN.match(name)
            assert known, f"{rule.get('alert') or rule.get('record')} asks for {name}, which nothing exports"


def labels_of(*registries: CollectorRegistry) -> dict[str, set[str]]:
    """Labels of the metrics of registries by name, under each name that a series of theirs may have."""
    labels: dict[str, set[str]] = {}
    for registry in registries:
        for collector in registry._collector_to_names:
            for suffix in ("", "_total", "_bucket", "_count", "_sum"):
                name = collector._name + suffix  # type: ignore[attr-defined]
                le = {"le"} if suffix == "_bucket" else set()
                labels[name] = {*collector._labelnames, *le}  # type: ignore[attr-defined]
    return labels


def test_the_manual_names_metrics_and_labels_that_exist() -> None:
    metrics = open_groups(ProcessMetrics())
    for group in (LearnerMetrics, EnvironmentMetrics):
        metrics.group(group)
    labels = labels_of(metrics.registry, SupervisionMetrics().registry) | {name: set() for name in DERIVED}
    checked = 0
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for name, matchers in re.findall(r"\b(shopfront_\w+)(?:\{([^}]*)\})?", page.read_text("utf-8")):
            assert name in labels, f"{page.name} names {name}, which nothing exports"
            for label in re.findall(r"(\w+)\s*(?:=|,|$)", re.sub(r'"[^"]*"', "", matchers)):
                assert label in labels[name], f"{page.name}: {name} has no label {label}"
                checked += 1
    assert checked > 15


def test_labels_in_expressions_are_labels_of_the_metrics() -> None:
    metrics = open_groups(ProcessMetrics())
    labels = {name: {"instance", "job"} for name in series()}
    for name, names in labels_of(metrics.registry, SupervisionMetrics().registry).items():
        if name in labels:
            labels[name] |= names
    expressions = [expression for _, expression in dashboard_expressions()] + [
        rule["expr"] for rule in rules()
    ]
    checked = 0
    for expression in expressions:
        for name, matchers in re.findall(r"(shopfront_\w+)\{([^}]*)\}", expression):
            for label in re.findall(r"(\w+)\s*[=!]~?=?", re.sub(r'"[^"]*"', "", matchers)):
                assert label in labels[name], f"{name} has no label {label}: {expression}"
                checked += 1
    assert checked > 30


def test_every_metric_stands_in_a_dashboard_and_in_the_manual() -> None:
    shown: set[str] = set()
    for _, expression in dashboard_expressions():
        shown |= selectors(expression)
    table = set(re.findall(r"^\| `(shopfront_\w+)`", MANUAL.read_text(), re.MULTILINE))
    documented = set()
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        documented.add(name)
        of_it = {name} if family.type != "histogram" else {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
        assert of_it & shown, f"no dashboard shows {name}"
    assert table == documented | set(DERIVED)


def test_units_are_named_as_prometheus_asks() -> None:
    for family in families():
        assert family.name.startswith("shopfront_")
        assert not re.search(r"_(ms|milliseconds|minutes|percent|kb|mb)(_|$)", family.name), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_dashboards_are_whole() -> None:
    assert len(DASHBOARDS) == 4
    uids = set()
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        assert set(dashboard) >= {"uid", "title", "schemaVersion", "panels", "templating", "time"}
        uids.add(dashboard["uid"])
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{path.name}: {panel['title']} lies over another panel"
            taken |= cells
            assert panel["type"] == "row" or panel["description"]
            for target in panel.get("targets", ()):
                assert target["datasource"]["uid"] == "${datasource}"
                used = set(re.findall(r"\$([a-z]+)", target["expr"]))
                assert used <= variables, f"{path.name}: {panel['title']} uses {used - variables}"
    assert len(uids) == len(DASHBOARDS)


def test_every_alert_says_what_it_is_and_where_help_stands() -> None:
    manual = MANUAL.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", manual, re.MULTILINE)
    }
    tested = set(re.findall(r"alertname: (\w+)", (PROMETHEUS / "alerts_test.yaml").read_text()))
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) > 20
    assert tested <= {alert["alert"] for alert in alerts}
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"]
        file, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert ROOT / file == MANUAL
        assert anchor in anchors, f"{alert['alert']} points to #{anchor}, which the manual does not have"


@pytest.mark.slow
def test_promtool_accepts_rules_and_configuration() -> None:
    assert "SUCCESS" in run_promtool("check", "rules", "rules.yaml", folder=PROMETHEUS)
    assert "SUCCESS" in run_promtool("check", "config", "prometheus.yaml", folder=PROMETHEUS)


@pytest.mark.slow
def test_alerts_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in run_promtool("test", "rules", "alerts_test.yaml", folder=PROMETHEUS)


@pytest.mark.slow
def test_alerts_of_made_up_series_can_fail(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text((PROMETHEUS / "rules.yaml").read_text().replace("> 0.8", "> 0.95"))
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())
    tests["tests"] = [test for test in tests["tests"] if "ShopfrontQueueNearBound" in str(test)]
    (tmp_path / "alerts_test.yaml").write_text(yaml.safe_dump(tests))
    with pytest.raises(AssertionError, match="ShopfrontQueueNearBound"):
        run_promtool("test", "rules", "alerts_test.yaml", folder=tmp_path)
