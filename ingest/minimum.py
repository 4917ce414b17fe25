"""The least a log must hold for the models to learn from it and for the cuts to part it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from ingest.shop_tables import IngestError
from snapshot.event_codes import IMPRESSION
from snapshot.manifest import Cuts

_SMALL_LOG = 1_000


def alarm_on_little(events: pl.DataFrame) -> list[str]:
    """A sentence where so few events are left that the models' figures mean little."""
    if events.height >= _SMALL_LOG:
        return []
    return [
        f"only {events.height:,} events are left: everything can be built and served, but what models and "
        f"evaluation say of fewer than {_SMALL_LOG:,} means little"
    ]


def refuse_too_little(events: pl.DataFrame, cuts: Cuts, source: str, removed: Mapping[str, int]) -> None:
    """Refuse a log from which nothing can be trained, before minutes of training find out.

    Args:
        events: user, item int32, event uint8, ts int64 (unix seconds), not empty.
        cuts: of the events' time.
        source: file to name.
        removed: what was left out before, by reason, to name beside the fault.

    Raises:
        IngestError: the events are impressions only, of one item, of one moment, of shoppers who never come
            back, or no behaviour lies between the cuts; the message says so in dates.
    """
    taken = events.filter(pl.col("event") != IMPRESSION)
    total = f"all {events.height:,} events" if events.height > 1 else "the only event"
    left_out = ", ".join(f"{count:,} × {reason}" for reason, count in removed.items() if count)
    more = "bring a longer log" + (f" (left out: {left_out})" if left_out else "")
    if taken.is_empty():
        raise IngestError(
            f"{source}: {total} {'are impressions' if events.height > 1 else 'is an impression'}; the "
            "models learn from views, favourites, carts and purchases: bring those too"
        )
    if taken["item"].n_unique() < 2:
        raise IngestError(
            f"{source}: the events other than impressions are all of one item, which leaves nothing to "
            f"rank; {more}"
        )
    if events["ts"].n_unique() < 2:
        moment = _moment(int(events["ts"][0]))
        raise IngestError(
            f"{source}: {total} {'fall' if events.height > 1 else 'falls'} into one moment ({moment}), so "
            f"none lies before the cut that parts training from validation; bring times of day, or {more}"
        )
    first = pl.col("ts").min().over("user")
    returning = taken.filter(pl.col("ts") > first)["ts"]
    ranges = (
        (returning < cuts.valid_from, f"before {_moment(cuts.valid_from)}, where training ends"),
        (
            (returning >= cuts.valid_from) & (returning < cuts.test_from),
            f"between {_moment(cuts.valid_from)} and {_moment(cuts.test_from)}, where training is validated",
        ),
    )
    for rows, where in ranges:
        if not rows.any():
            raise IngestError(
                f"{source}: no shopper does anything for the second time {where} ({taken.height:,} events "
                f"other than impressions, {taken['user'].n_unique():,} shoppers); move the cuts in "
                "ingest.cuts "
                f"of the configuration, or {more}"
            )


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
