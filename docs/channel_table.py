"""The channel table of an evaluation as Markdown, for the docs: `python -m docs.channel_table <JSON>`.

The JSON is what `shopfront evaluate` writes. Losses are those of the fusion without the channel or, for one
without a share, what a twentieth of the shares would add, with 95 % intervals.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from evaluation.channel_table import CUTS, FUSED, HEAD

_RECALLS = tuple(f"{prefix}recall@{k}" for prefix in ("", "new_") for k in CUTS)
_COLUMNS = (*_RECALLS, f"hr@{HEAD}", f"ndcg@{HEAD}", "coverage", "novelty", "ils", "overlap")
_HEADS = {
    "new_recall@50": "new @50",
    "new_recall@200": "new @200",
    "hr@10": "HR@10",
    "ndcg@10": "NDCG@10",
    "ils": "ILS",
}
_LOSSES = ((f"loss_ndcg@{HEAD}", "low", "high"), (f"loss_recall@{CUTS[-1]}", "r_low", "r_high"))


def figure(value: float | None) -> str:
    """Three decimals, without the nought before them; – for nothing.

    >>> figure(-0.0312), figure(12.072), figure(None)
    ('−.031', '12.1', '–')
    """
    if value is None:
        return "–"
    if abs(value) >= 1:
        return f"{value:.1f}".replace("-", "−")
    text = f"{abs(value):.3f}"
    return ("−" if value < 0 and text != "0.000" else "") + text.removeprefix("0")


def markdown(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """The table: channels by their recall of the most items, the fusion last."""
    order = sorted(rows, key=lambda name: (name == FUSED, -(rows[name][_RECALLS[1]] or 0)))
    lost = [f"lost without it: {names[0].removeprefix('loss_')}" for names in _LOSSES]
    heads = ["channel", *(_HEADS.get(name, name) for name in _COLUMNS), *lost]
    lines = [heads, ["---"] * len(heads)]
    for name in order:
        row = rows[name]
        share = figure(row["share"]) if row["share"] else "off"
        label = "fused" if name == FUSED else f"`{name}` ({share})"
        lines.append([label, *(figure(row[column]) for column in _COLUMNS)])
        lines[-1] += [_interval(*(row[column] for column in names)) for names in _LOSSES]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _interval(mean: float | None, low: float | None, high: float | None) -> str:
    return "" if mean is None else f"{figure(mean)} [{figure(low)}, {figure(high)}]"


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text("utf-8"))["channels"]))
