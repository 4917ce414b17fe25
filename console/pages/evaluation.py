"""Evaluation: what `shopfront evaluate` measured, as charts and tables, one version beside another."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.charts import Bar, bars
from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1.admin_pb2 import Report

TABLES = (
    ("pages", "Pages as they are served", ("ndcg@10", "ndcg", "hr@10", "hr"), ("low", "high")),
    ("ranking", "Ranking of sampled candidates", ("auc",), None),
    ("recall", "Recall over the whole catalogue", ("recall@200", "recall@50", "recall@10"), None),
    ("carts", "Pages with a cart", ("hr", "hr@10"), ("low", "high")),
    ("anchors", "Pages about one item", ("hr@10", "hr"), ("low", "high")),
    ("prerank", "What prerank leaves of the best", (), None),
    ("reliability", "Whether scores are probabilities", (), None),
)
"""Tables of a report: key, title, columns for the chart in order of preference, columns of its interval."""
_MOST_ROWS, _MOST_COLUMNS = 60, 30


async def show(request: Request, console: Console) -> Response:
    """The tables of one report, beside those of another where one is chosen."""
    values: dict[str, Any] = {
        "reports": [],
        "chosen": "",
        "other": "",
        "tables": [],
        "facts": {},
        "notes": [],
    }
    problem = None
    try:
        reports = await console.client.reports("evaluation")
        values["reports"] = reports
        by_name = {report.name: report for report in reports}
        chosen = by_name.get(request.query_params.get("report", "")) or next(iter(reports), None)
        other = by_name.get(request.query_params.get("other", ""))
        if chosen is not None:
            content, compared = _content(chosen), _content(other)
            values |= {
                "chosen": chosen.name,
                "other": other.name if other else "",
                "tables": [
                    table for key, *rest in TABLES if (table := _table(content, compared, key, *rest))
                ],
                "facts": {key: content[key] for key in ("source", "dataset", "shoppers") if content.get(key)},
                "notes": [str(note) for note in content.get("notes") or []][:50],
            }
    except RouterProblem as error:
        problem = error
    return await console.render(request, "evaluation.html", "Evaluation", problem, **values)


def _content(report: Report | None) -> dict[str, Any]:
    try:
        content = json.loads(report.json) if report is not None else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _table(
    content: dict[str, Any],
    compared: dict[str, Any],
    key: str,
    title: str,
    preferred: tuple[str, ...],
    interval: tuple[str, str] | None,
) -> dict[str, Any] | None:
    rows = _rows(content.get(key))
    if not rows:
        return None
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))[:_MOST_COLUMNS]
    charted = next((column for column in preferred if column in columns), "")
    others = _rows(compared.get(key))
    drawn = None
    if charted:
        drawn = bars(
            f"{title}: {charted}",
            [
                Bar(
                    name,
                    row.get(charted, math.nan),
                    row.get(interval[0]) if interval else None,
                    row.get(interval[1]) if interval else None,
                    "served" in name or name in ("bst", "fused"),
                )
                for name, row in sorted(rows.items(), key=lambda each: -_known(each[1].get(charted)))
            ],
        )
    return {
        "key": key, "title": title, "columns": columns, "rows": rows, "charted": charted, "chart": drawn,
        "others": others,
    }  # fmt: skip


def _rows(table: Any) -> dict[str, dict[str, float]]:
    """Rows of numbers; what is none (null, text) is NaN."""
    if not isinstance(table, dict):
        return {}
    return {
        str(name): {
            str(column): float(value) if isinstance(value, (int, float)) else math.nan
            for column, value in row.items()
        }
        for name, row in list(table.items())[:_MOST_ROWS]
        if isinstance(row, dict)
    }


def _known(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else -math.inf
