"""The evaluation's result: one readable table, and the same as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evaluation.channel_table import LOOKS as CHANNEL_LOOKS
from evaluation.channel_table import LOSSES, QUALITY, TRIAL_SHARE
from evaluation.page_metrics import LOOKS, SETS, WINDOW
from evaluation.reliability import COLUMNS
from snapshot.durable_files import write_durably

LESS_IS_BETTER = (
    "log_loss",
    "overlap",
    "most_shown",
    "head_most",
    "head_overlap",
    "seen_again",
    "seen_in_vain",
)
COUNTS = ("distinct", "candidates", "n")
NEITHER_IS_BETTER = (
    "low",
    "high",
    "half_low",
    "half_high",
    "same_category",
    "in_category",
    "all_words",
    "taken_before",
    *LOSSES,
    *COLUMNS,
)

Rows = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What `evaluate` measured.

    dataset: id; source: the data set's source; ranking, recall: row → column → value; quotas: channel →
    share; settings: the evaluation's; models: facts of the checkpoints; shoppers: in the recall table;
    channels: of each channel and their fusion; prerank: like ranking, empty where no prerank model was given;
    anchors: of pages about one item, empty where no scene shows them; carts: of pages with a cart, likewise;
    searches: of pages beside a search, likewise; pages: of pages for a shopper, likewise;
    newcomers: of pages for shoppers of whom little is known, likewise; visits: of simulated visits, empty
    where no scene changes its page between them; venues: of pages of venues, empty where no scene shows any;
    reliability: of the scores of the pages' candidates; notes: what a reader must know.
    """

    dataset: str
    source: str
    ranking: Rows
    recall: Rows
    quotas: Mapping[str, float]
    settings: Mapping[str, Any]
    models: Mapping[str, Any]
    shoppers: int
    channels: Rows = field(default_factory=dict)
    prerank: Rows = field(default_factory=dict)
    anchors: Rows = field(default_factory=dict)
    carts: Rows = field(default_factory=dict)
    searches: Rows = field(default_factory=dict)
    pages: Rows = field(default_factory=dict)
    newcomers: Rows = field(default_factory=dict)
    visits: Rows = field(default_factory=dict)
    venues: Rows = field(default_factory=dict)
    reliability: Rows = field(default_factory=dict)
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values; NaN (nothing to measure) becomes null."""
        return {
            "dataset": self.dataset,
            "source": self.source,
            "ranking": _plain(self.ranking),
            "recall": _plain(self.recall),
            "channels": _plain(self.channels),
            "prerank": _plain(self.prerank),
            "anchors": _plain(self.anchors),
            "carts": _plain(self.carts),
            "searches": _plain(self.searches),
            "pages": _plain(self.pages),
            "newcomers": _plain(self.newcomers),
            "visits": _plain(self.visits),
            "venues": _plain(self.venues),
            "reliability": _plain(self.reliability),
            "notes": list(self.notes),
            "quotas": dict(self.quotas),
            "settings": dict(self.settings),
            "models": dict(self.models),
            "shoppers": self.shoppers,
        }

    def write(self, path: Path) -> None:
        """Writes the JSON to `path`, durably; makes its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, (json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n").encode())

    def as_table(self) -> Group:
        """Both halves for `rich.print`, the telling columns only; the best value of each is bold."""
        return Group(
            Text(f"Ranking of sampled candidates · {self.source}"),
            _table(self.ranking, list(next(iter(self.ranking.values()), {}))),
            Text(f"Recall over the catalogue · {self.shoppers} shoppers"),
            _table(self.recall, _telling_columns(self.recall)),
            *self._channel_tables(),
            *self._prerank_table(),
            *self._anchor_table(),
            *self._cart_table(),
            *self._search_table(),
            *self._page_tables(),
            *self._newcomer_table(),
            *self._visit_table(),
            *self._venue_table(),
            *self._reliability_table(),
            *(Text(f"Note: {note}") for note in self.notes),
        )

    def _channel_tables(self) -> list[RenderableType]:
        if not self.channels:
            return []
        lost = (
            "Channels: what the fusion loses without each, with 95 % intervals; a channel without a share is "
            f"given {TRIAL_SHARE:.0%} of the shares for it"
        )
        return [
            Text("Channels alone and fused: what shoppers take in the test range, and how lists look"),
            _table(self.channels, [*QUALITY, *CHANNEL_LOOKS]),
            Text(lost),
            _table(self.channels, list(LOSSES)),
        ]

    def _prerank_table(self) -> list[RenderableType]:
        if not self.prerank:
            return []
        columns = list(next(iter(self.prerank.values())))
        title = "Share of BST's best that is left after the candidates were narrowed"
        return [Text(title), _table(self.prerank, columns)]

    def _anchor_table(self) -> list[RenderableType]:
        if not self.anchors:
            return []
        title = "Pages about one item: the next item of its basket, and how pages differ"
        return [Text(title), _table(self.anchors, list(next(iter(self.anchors.values()))))]

    def _cart_table(self) -> list[RenderableType]:
        if not self.carts:
            return []
        title = "Pages with a cart: what of its basket is held out, one item or half of them"
        return [Text(title), _table(self.carts, list(next(iter(self.carts.values()))))]

    def _search_table(self) -> list[RenderableType]:
        if not self.searches:
            return []
        title = "Pages beside a search, simulated from the category or two title words of the item taken next"
        return [Text(title), _table(self.searches, list(next(iter(self.searches.values()))))]

    def _page_tables(self) -> list[RenderableType]:
        """The columns in four blocks, which fit a terminal."""
        if not self.pages:
            return []
        columns = list(next(iter(self.pages.values())))
        first, second, third = np.cumsum([len(WINDOW), len(SETS), len(LOOKS)]).tolist()
        return [
            Text("Served pages: what shoppers take in the test range, with the 95 % interval of NDCG"),
            _table(self.pages, columns[:first]),
            Text("Served pages: parts of the page and of what is taken; next_: the first day's items alone"),
            _table(self.pages, columns[first:second]),
            Text("Served pages: how they look"),
            _table(self.pages, columns[second:third]),
            Text("Served pages: the item that most shoppers see, on the page and in its first slots"),
            _table(self.pages, columns[third:]),
        ]

    def _newcomer_table(self) -> list[RenderableType]:
        if not self.newcomers:
            return []
        title = (
            "Pages of newcomers: the shoppers' newest behaviours alone are known, or nothing of them; "
            "in first visits, what they did so far"
        )
        return [Text(title), _table(self.newcomers, list(next(iter(self.newcomers.values()))))]

    def _visit_table(self) -> list[RenderableType]:
        if not self.visits:
            return []
        title = "Visits, simulated: parts of what is looked at, and what is found; none of them happened"
        return [Text(title), _table(self.visits, list(next(iter(self.visits.values()))))]

    def _venue_table(self) -> list[RenderableType]:
        if not self.venues:
            return []
        title = "Pages of venues: those that shoppers take from on their first day in the test range"
        return [Text(title), _table(self.venues, list(next(iter(self.venues.values()))))]

    def _reliability_table(self) -> list[RenderableType]:
        if not self.reliability:
            return []
        title = (
            "Reliability: tenths of the candidates by score, predicted and taken; 95 % interval of the ratio"
        )
        return [Text(title), _table(self.reliability, list(COLUMNS))]


def _plain(rows: Rows) -> dict[str, dict[str, float | None]]:
    return {
        name: {column: None if math.isnan(value) else value for column, value in row.items()}
        for name, row in rows.items()
    }


def _telling_columns(rows: Rows) -> list[str]:
    """Recall at every cut, the head's quality at the first, new items at the last; the JSON has all."""
    columns = list(next(iter(rows.values()), {}))
    cuts = [column.removeprefix("recall@") for column in columns if column.startswith("recall@")]
    wanted = {f"recall@{k}" for k in cuts} | {f"hr@{cuts[0]}", f"ndcg@{cuts[0]}", f"new_recall@{cuts[-1]}"}
    return [column for column in columns if column in wanted]


def _table(rows: Rows, columns: list[str]) -> Table:
    best = {}
    for column in columns:
        values = [row[column] for row in rows.values() if not math.isnan(row[column])]
        if column not in NEITHER_IS_BETTER:
            best[column] = (min if column in LESS_IS_BETTER else max)(values, default=math.nan)
    table = Table()
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, row in rows.items():
        cells = [
            _cell(row[column], whole=column in COUNTS, best=row[column] == best.get(column))
            for column in columns
        ]
        table.add_row(name, *cells)
    return table


def _cell(value: float, *, whole: bool, best: bool) -> str:
    if math.isnan(value):
        return "–"
    text = f"{value:.0f}" if whole else f"{value:.4f}"
    return f"[bold]{text}[/]" if best else text
