"""All cleaning rules in the order they run, those of plug-ins last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
from snapshot.partition_work import IN_THIS_PROCESS, Columns, PartitionWork

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
    work: PartitionWork = IN_THIS_PROCESS,
) -> Cleaned:
    """Run every enabled rule, each on what the ones before it left.

    What a rule keeps of a shopper follows from the shopper's events and the evidence alone.

    Args:
        events: user, item int32, event uint8, ts_ms int64, sorted by user and time; others are ignored.
        settings: which rules run and how.
        seed: of rules that draw.
        on_rule: called with the name of each rule before it runs, of all of them where they run elsewhere.
        work: where the events of ranges of shoppers are cleaned.

    Returns:
        The rows that survive, and the count removed by each enabled rule.
    """
    import polars as pl

    core = events.select("user", "item", "event", "ts_ms").with_row_index("row")
    evidence = Evidence(time_resolution_ms(core["ts_ms"]), seed)
    if work is IN_THIS_PROCESS:
        return _cleaned(core, settings, evidence, on_rule)
    enabled = [name for name in RULES if getattr(settings, name).enabled]
    for name in enabled:
        on_rule(name)
    parts = work.over_shoppers("cleaning", cleaned_columns, core, (settings, evidence))
    rows = pl.Series(np.concatenate([part["rows"] for part in parts]))
    return Cleaned(rows, {name: sum(int(part[name][0]) for part in parts) for name in enabled})


def cleaned_columns(events: pl.DataFrame, given: tuple[CleaningSettings, Evidence]) -> Columns:
    """The surviving rows of some shoppers, `rows` uint32, and by rule's name how many it removed, int64[1].

    Args:
        events: all events of some shoppers, as of `clean`, with their row uint32 among all.
        given: which rules run, and the evidence of the whole log.
    """
    cleaned = _cleaned(events, *given, lambda name: None)
    counts = {name: np.array([count], np.int64) for name, count in cleaned.removed.items()}
    return {**counts, "rows": cleaned.rows.to_numpy()}


def _cleaned(
    core: pl.DataFrame, settings: CleaningSettings, evidence: Evidence, on_rule: Callable[[str], None]
) -> Cleaned:
    rows, core = core["row"], core.drop("row")
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
