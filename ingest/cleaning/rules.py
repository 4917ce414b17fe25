"""All cleaning rules in the order they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from ingest.cleaning.bot_clickers import keep_bot_clickers_out
from ingest.cleaning.evidence import Evidence, time_resolution_ms
from ingest.cleaning.hyperactive_users import keep_hyperactive_users_down
from ingest.cleaning.instant_misclicks import keep_instant_misclicks_out
from ingest.cleaning.repeated_carts import keep_repeated_carts_out
from ingest.cleaning.views_after_purchase import keep_views_after_purchase_out
from ingest.settings import CleaningSettings

RULES: dict[str, Callable[[pl.DataFrame, Any, Evidence], pl.Series]] = {
    "bot_clickers": keep_bot_clickers_out,
    "instant_misclicks": keep_instant_misclicks_out,
    "views_after_purchase": keep_views_after_purchase_out,
    "repeated_carts": keep_repeated_carts_out,
    "hyperactive_users": keep_hyperactive_users_down,
}
"""Rule by the name of its section in `CleaningSettings`: events, settings and evidence → mask to keep."""


@dataclass(frozen=True)
class Cleaned:
    """What cleaning left: the surviving rows, ascending (uint32[k]), and rows removed by rule."""

    rows: pl.Series
    removed: dict[str, int]


def clean(
    events: pl.DataFrame,
    settings: CleaningSettings,
    seed: int,
    on_rule: Callable[[str], None] = lambda name: None,
) -> Cleaned:
    """Run every enabled rule, each on what the ones before it left.

    Args:
        events: user, item int32, event uint8, ts_ms int64, sorted by user and time; others are ignored.
        settings: which rules run and how.
        seed: of rules that draw.
        on_rule: told the name of each rule before it runs.

    Returns:
        The rows that survive, and the count removed by each enabled rule.
    """
    core = events.select("user", "item", "event", "ts_ms")
    evidence = Evidence(time_resolution_ms(core["ts_ms"]), seed)
    rows = pl.int_range(core.height, dtype=pl.UInt32, eager=True)
    removed = {}
    for name, rule in RULES.items():
        section = getattr(settings, name)
        if not section.enabled:
            continue
        on_rule(name)
        keep = rule(core, section, evidence)
        removed[name] = int((~keep).sum())
        if removed[name]:
            core, rows = core.filter(keep), rows.filter(keep)
    return Cleaned(rows, removed)
