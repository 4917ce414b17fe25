"""What this replica counts of each arm, and writes to the store."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollout.arm_statistics import ArmStatistics, merged
from rollout.arms import Arm
from rollout.overlap import Overlap
from rollout.page_counts import PageCounts
from rollout.record import ArmStatisticsRow

OVERLAP = "overlap"
PAGES = "pages"
_REMEMBERED_FEEDBACK = 100_000


class ArmCounts:
    """One replica's counts of one rollout, by stage and arm. Belongs to the event loop."""

    def __init__(self, rollout: str, replica: str) -> None:
        """`rollout`: its id; `replica`: name of this process."""
        self.rollout = rollout
        self._replica = replica
        self._arms: dict[tuple[int, Arm], ArmStatistics] = {}
        self._overlaps: dict[int, Overlap] = {}
        self._pages: dict[int, PageCounts] = {}
        self._changed: set[tuple[int, str]] = set()
        self._seen: OrderedDict[tuple[str, str, int], None] = OrderedDict()

    def arm(self, stage: int, arm: Arm) -> ArmStatistics:
        """The counts of an arm, to be added to."""
        self._changed.add((stage, arm))
        return self._arms.setdefault((stage, arm), ArmStatistics())

    def overlap(self, stage: int, user_id: str, overlap: float) -> None:
        """Adds how much of the stable version's best items the candidate has in one shadowed request, 0…1.

        `user_id`: as in `Overlap.observe`.
        """
        self._changed.add((stage, OVERLAP))
        self._overlaps.setdefault(stage, Overlap()).observe(user_id, overlap)

    def pages(self, stage: int) -> PageCounts:
        """The counts of requests scored by both versions, to be added to."""
        self._changed.add((stage, PAGES))
        return self._pages.setdefault(stage, PageCounts())

    def is_new_feedback(self, request_id: str, item_id: str, event: int) -> bool:
        """Whether this item of this answer is opened, or bought, for the first time here.

        Without an item: whether the answer is rated.
        """
        key = (request_id, item_id, event)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED_FEEDBACK:
            self._seen.popitem(last=False)
        return True

    def take_changed(self) -> list[ArmStatisticsRow]:
        """Rows of what has changed since the last call, whole, ready to replace what the store has."""
        changed, self._changed = self._changed, set()
        return [
            ArmStatisticsRow(self._replica, stage, arm, self._encoded(stage, arm))
            for stage, arm in sorted(changed)
        ]

    def put_back(self, rows: Iterable[ArmStatisticsRow]) -> None:
        """Rows that could not be stored: they count as changed again."""
        self._changed.update((row.stage, row.arm) for row in rows)

    def _encoded(self, stage: int, arm: str) -> bytes:
        if arm == OVERLAP:
            return self._overlaps[stage].encode()
        if arm == PAGES:
            return self._pages[stage].encode()
        return self._arms[stage, Arm(arm)].encode()


@dataclass(frozen=True, slots=True)
class StageCounts:
    """What all replicas have counted together in some stages."""

    candidate: ArmStatistics
    baseline: ArmStatistics
    overlap: Overlap
    pages: PageCounts


def sum_counts(rows: Iterable[ArmStatisticsRow], stages: Iterable[int]) -> StageCounts:
    """The counts of the given stages, over all replicas. Raises `StatisticsError` where one is unreadable."""
    wanted = set(stages)
    chosen = [row for row in rows if row.stage in wanted]
    overlap, pages = Overlap(), PageCounts()
    for row in chosen:
        if row.arm == OVERLAP:
            overlap.add(Overlap.decode(row.payload))
        elif row.arm == PAGES:
            pages.add(PageCounts.decode(row.payload))

    def together(arm: Arm) -> ArmStatistics:
        return merged(ArmStatistics.decode(row.payload) for row in chosen if row.arm == arm)

    return StageCounts(together(Arm.CANDIDATE), together(Arm.BASELINE), overlap, pages)


def usable_latency_ms(elapsed_ms: float) -> float:
    """A latency the judge's histogram takes: never negative, whatever the clock did."""
    return max(0.0, elapsed_ms) if math.isfinite(elapsed_ms) else 0.0


def all_scores(parts: list[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """The parts' scores in one array float32[n]; None where there are none."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
