"""Reports of experiments as `shopfront experiment report` wrote them, with charts of each metric."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from console.charts import Bar, bars
from console.interval_chart import Interval, intervals
from protos.shopfront.v1.admin_pb2 import Report

MISMATCH_P = 0.001
"""Below it shoppers are not divided as configured (`experiments.report`)."""
_NAMES = {"ctr": "CTR", "cvr": "CVR", "gmv_per_user": "GMV per user"}


def readable(report: Report) -> dict[str, Any] | None:
    """A report with its charts; None for a file that is no report of an experiment."""
    try:
        content = json.loads(report.json)
        arms = content["arms"]
        metrics = sorted({name for arm in arms for name in arm["metrics"]})
        return {
            "name": report.name,
            "at_ms": report.at_ms,
            "content": content,
            "divided": _divided(content.get("mismatch_p")),
            "charts": [
                (_NAMES.get(name, name), _bars(name, content), _over_time(name, content)) for name in metrics
            ],
            "differences": [
                (_NAMES.get(name, name), arm["name"], arm["differences"].get(name))
                for arm in arms
                if arm["name"] != content["control"]
                for name in metrics
            ],
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _divided(p: object) -> tuple[str, str]:
    """Whether shoppers are divided as configured: the mood, and words."""
    if not isinstance(p, (int, float)):
        return "plain", "Whether shoppers are divided as configured is not known."
    if p < MISMATCH_P:
        return "bad", f"Sample-ratio mismatch (p = {p:.2g}): believe nothing below until its cause is found."
    return "good", f"Shoppers are divided as configured (p = {p:.2g})."


def _bars(name: str, content: dict[str, Any]) -> Markup:
    return bars(
        f"{name} by arm, with 95 % intervals",
        [
            Bar(
                arm["name"],
                _value(arm["metrics"][name].get("value")),
                arm["metrics"][name].get("low"),
                arm["metrics"][name].get("high"),
                arm["name"] == content["control"],
            )
            for arm in content["arms"]
        ],
        digits=4,
    )


def _over_time(name: str, content: dict[str, Any]) -> Markup:
    """The metric of each arm as it was known at each moment of the report; empty for older reports."""
    moments = content.get("over_time") or []
    series = {
        arm["name"]: [
            Interval(
                float(moment["at_ms"]) / 1_000,
                _value(found.get("value")),
                _value(found.get("low")),
                _value(found.get("high")),
            )
            for moment in moments
            if (found := moment["arms"].get(arm["name"], {}).get(name)) is not None
        ]
        for arm in content["arms"]
    }
    if not moments:
        return Markup("")
    return intervals(f"{name} of each arm over time, with 95 % intervals", series)


def _value(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
