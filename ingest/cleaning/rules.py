"""All cleaning rules in the order they run, those of plug-ins last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.cleaning import (
    bot_clickers,
    hyperactive_users,
    instant_misclicks,
    repeated_carts,
    views_after_purchase,
)
from ingest.cleaning.evidence import Evidence, time_resolution_ms
from ingest.cleaning.rule import CleaningRule
from registration.registry import Registry

if TYPE_CHECKING:
    import polars as pl

    from ingest.settings import CleaningSettings

RULES: Registry[CleaningRule] = Registry(
    "cleaning rule",
    "RULES",
    {
        "bot_clickers": bot_clickers.RULE,
        "instant_misclicks": instant_misclicks.RULE,
        "views_after_purchase": views_after_purchase.RULE,
        "repeated_carts": repeated_carts.RULE,
        "hyperactive_users": hyperactive_users.RULE,
    },
    kind=CleaningRule,
)


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
        on_rule: called with the name of each rule before it runs.

    Returns:
        The rows that survive, and the count removed by each enabled rule.
    """
    import polars as pl

    core = events.select("user", "item", "event", "ts_ms")
    evidence = Evidence(time_resolution_ms(core["ts_ms"]), seed)
    rows = pl.int_range(core.height, dtype=pl.UInt32, eager=True)
    removed = {}
    for name, rule in RULES.items():
        section = getattr(settings, name)
        if not section.enabled:
            continue
        on_rule(name)
        keep = rule.keep(core, section, evidence)
        removed[name] = int((~keep).sum())
        if removed[name]:
            core, rows = core.filter(keep), rows.filter(keep)
    return Cleaned(rows, removed)
