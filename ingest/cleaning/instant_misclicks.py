"""Rule: a view left at once for another item, and never returned to, was a slip of the finger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ingest.cleaning.evidence import Evidence
from ingest.cleaning.masks import all_but
from ingest.cleaning.rule import CleaningRule, RuleSettings
from snapshot.event_codes import IMPRESSION, VIEW

if TYPE_CHECKING:
    import polars as pl


class InstantMisclickSettings(RuleSettings):
    """Views left at once for another item and never returned to."""

    max_dwell_ms: int = Field(
        default=1_000,
        ge=1,
        description="A view left within this time was a slip of the finger, milliseconds.",
    )


def keep_instant_misclicks_out(
    events: pl.DataFrame, settings: InstantMisclickSettings, evidence: Evidence
) -> pl.Series:
    """Remove views that were left within `max_dwell_ms` and are all the user ever did with the item.

    A view goes when the user's next behaviour is a view of another item, certainly less than the dwell
    time later, and the user has no other behaviour on the first item, before or after. With timestamps
    in whole seconds and the default of one second this takes views followed by another in the same second;
    with coarser timestamps nothing is certain and nothing goes.

    Args:
        events: user, item int32, event uint8, ts_ms int64, sorted by user and time.
        settings: the rule's limits.
        evidence: the resolution of the log's times, and the seed.

    Returns:
        bool[e], True for the events to keep.
    """
    import polars as pl

    rows = events.lazy().select("user", "item", "event", "ts_ms").with_row_index("row")
    behaviours = rows.filter(pl.col("event") != IMPRESSION)
    following = pl.all().exclude("row").shift(-1).name.prefix("next_")
    hasty = (
        behaviours.with_columns(following)
        .filter(
            (pl.col("event") == VIEW)
            & (pl.col("next_event") == VIEW)
            & (pl.col("user") == pl.col("next_user"))
            & (pl.col("item") != pl.col("next_item"))
            & (pl.col("next_ts_ms") - pl.col("ts_ms") + evidence.resolution_ms <= settings.max_dwell_ms)
        )
        .select("row", "user", "item")
        .collect()
    )
    behaviours_per_pair = (
        behaviours.join(hasty.lazy().select("user", "item").unique(), on=["user", "item"], how="semi")
        .group_by("user", "item")
        .len()
    )
    misclicks = (
        hasty.lazy()
        .join(behaviours_per_pair, on=["user", "item"])
        .filter(pl.col("len") == 1)
        .select("row")
        .collect()
    )
    return all_but(events.height, misclicks["row"])


RULE = CleaningRule(InstantMisclickSettings, keep_instant_misclicks_out)
