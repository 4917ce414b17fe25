"""How the parts of a router are, by one reading of its counts: learner, processes, satisfaction."""

from __future__ import annotations

import math
from dataclasses import dataclass

from console.figures import Reading
from console.words import ago

Tile = tuple[str, float, str, str]
"""(name, value, unit, whether it is good, a warning or bad)."""
_LAG_WARNS_S = 10.0
_CHECKPOINT_WARNS_S = 900.0
_SATISFIED = 4
"""Ratings from here on, of 1 to 5, are of satisfied shoppers (CSAT)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is supervised: starts in the place of one that died, and starts that failed.

    died_at  unix seconds, 0 = it has not
    """

    name: str
    restarted: float
    failed: float
    is_lost: bool
    died_at: float

    def died(self, now: float) -> str:
        """When it died last, in words."""
        return ago(self.died_at, now) if self.died_at else "never"


def state_tiles(reading: Reading) -> list[Tile]:
    """Learner, replicas and satisfaction; what is not counted has no tile."""
    return [*_learner(reading), *_replicas(reading), *_satisfaction(reading)]


def parts(reading: Reading) -> list[Part]:
    """The parts that the supervisor watches; none where nothing supervises, as in a cluster."""
    starts = reading.totals("shopfront_restarts_total", "part", "outcome")
    lost = reading.total("shopfront_part_lost", "part")
    died = reading.total("shopfront_part_lost_timestamp_seconds", "part")
    return [
        Part(
            part,
            outcomes.get("restarted", 0.0),
            outcomes.get("failed", 0.0),
            lost.get(part, 0.0) > 0,
            died.get(part, 0.0),
        )
        for part, outcomes in sorted(starts.items())
    ]


def satisfaction(reading: Reading) -> tuple[float, float, float]:
    """Overall ratings since the replicas started: how many, their mean, and the share of 4 and 5."""
    found = reading.total("shopfront_feedback_ratings_total", "value", dimension=["overall"])
    counts = {int(value): count for value, count in found.items() if value.isdecimal()}
    total = sum(counts.values())
    if not total:
        return 0.0, math.nan, math.nan
    mean = sum(value * count for value, count in counts.items()) / total
    return total, mean, sum(count for value, count in counts.items() if value >= _SATISFIED) / total


def _one(reading: Reading, name: str) -> float | None:
    return next(iter(reading.total(name, "").values()), None)


def _learner(reading: Reading) -> list[Tile]:
    lag = _one(reading, "shopfront_learner_lag_seconds")
    if lag is None:
        return []
    tiles: list[Tile] = [("Learner behind", lag, "s", "warn" if lag > _LAG_WARNS_S else "good")]
    written = _one(reading, "shopfront_learner_checkpoint_timestamp_seconds")
    if written:
        age = max(0.0, reading.at - written)
        failed = reading.total("shopfront_learner_checkpoints_total", "outcome").get("failed", 0.0)
        mood = "bad" if failed else "warn" if age > _CHECKPOINT_WARNS_S and lag > 0 else "good"
        tiles.append(("Learner's checkpoint", age / 60, "min old", mood))
    return tiles


def _replicas(reading: Reading) -> list[Tile]:
    starts = _one(reading, "shopfront_replica_starts_total")
    if starts is None:
        return []
    running = sum(reading.total("shopfront_snapshot_info", "snapshot_id").values())
    again = max(0.0, starts - running)
    return [
        ("Replicas", running, "serve", "good" if running else "bad"),
        ("Replicas replaced", again, "since the start", "warn" if again else "good"),
    ]


def _satisfaction(reading: Reading) -> list[Tile]:
    total, mean, share = satisfaction(reading)
    if not total:
        return []
    return [
        ("Satisfied", share * 100, f"% of {total:,.0f} ratings", "plain"),
        ("Mean rating", mean, "of 1 to 5", "plain"),
    ]
