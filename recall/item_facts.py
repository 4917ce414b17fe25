"""What the logistic ranker knows of an item by itself: how it sells, and whether people come back to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.memory import HALF_LIVES_DAYS
from recall.channel import BuildSource
from snapshot.columns import load_column, save_column
from snapshot.event_codes import IMPRESSION
from snapshot.log_parts import parts_by_shopper

FACTS = (*(f"popularity_{half:.0f}d" for half in HALF_LIVES_DAYS), "shoppers", "trend", "repeat_rate")
"""Names of the columns."""
_DAY_S = 86_400
_PER = 10_000.0


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """values: float32[N + 1, 6], the columns of `FACTS` by dense item, all of them logarithms.

    popularity_<h>d  behaviours with the item among 10,000, each counted half after h days
    shoppers         shoppers who took it, among 10,000
    trend            popularity of the shortest half-life over that of the longest
    repeat_rate      `recall.again_build.repeat_rates`
    """

    values: NDArray[np.float32]

    def write(self, folder: Path) -> int:
        """One file per column; returns how many values each holds."""
        for column, name in enumerate(FACTS):
            save_column(folder, name, self.values[:, column])
        return len(self.values)

    @classmethod
    def read(cls, folder: Path, size: int) -> ItemFacts:
        """Those of `size` rows; raises SnapshotError where a file is torn or does not fit."""
        columns = [load_column(folder, name, np.dtype(np.float32), size) for name in FACTS]
        return cls(np.stack(columns, axis=1))


def item_facts(source: BuildSource, rate_prior: float) -> ItemFacts:
    """Counted from the behaviours up to `source.now`.

    rate_prior: shoppers' worth of the category's repeat rate mixed into an item's own.
    """
    from recall.again_build import rates_of, takers_of

    popularity = [_share(counts) for counts in _decayed_counts(source)]
    taken = takers_of(source)
    rates = rates_of(taken, source.catalogue, rate_prior)
    columns = (
        *popularity,
        np.log(_PER * (taken.takers / max(taken.shoppers, 1)) + 1),
        popularity[0] - popularity[-1],
        np.log(np.maximum(rates, 1e-6)),
    )
    return ItemFacts(np.stack(columns, axis=1).astype(np.float32))


def _decayed_counts(source: BuildSource) -> NDArray[np.float64]:
    """float64[half-lives, N + 1]: behaviours up to `source.now`, each counted half after a half-life."""
    counts = np.zeros((len(HALF_LIVES_DAYS), source.catalogue.size + 1))
    for part in parts_by_shopper(source.events):
        event, ts = part["event"].to_numpy(), part["ts"].to_numpy()
        used = (event != IMPRESSION) & (ts <= source.now)
        item, age_days = part["item"].to_numpy()[used], (source.now - ts[used]) / _DAY_S
        for row, half in zip(counts, HALF_LIVES_DAYS, strict=True):
            # One after the other, so that sums do not depend on where parts end.
            np.add.at(row, item, np.exp2(-age_days / half))
    return counts


def _share(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Log of each count among 10,000; what nobody took is as one tenth of a behaviour."""
    return np.asarray(np.log((counts + 0.1) * (_PER / (counts.sum() + 1.0))), np.float64)
