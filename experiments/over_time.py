"""An arm's outcomes hour by hour, and its metrics as they were known at moments on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.effects import Estimate, mean, ratio

HOUR_MS = 3_600_000
MOST_MOMENTS = 24
ANSWERS, IMPRESSIONS, CLICKS, PURCHASES, GMV = range(5)
"""Columns of `Hours.added`."""


@dataclass(frozen=True, slots=True)
class Hours:
    """What each shopper of an arm added in each hour in which they added something.

    shoppers  number of shoppers, n
    shopper   int64[k], 0…n − 1
    hour      int64[k], hours since 1970
    added     float64[k, 5]: answers, impressions, clicks, purchases, GMV
    """

    shoppers: int
    shopper: NDArray[np.int64]
    hour: NDArray[np.int64]
    added: NDArray[np.float64]

    @classmethod
    def of(cls, shoppers: list[Mapping[int, list[float]]]) -> Hours:
        """From each shopper's hours: hour → the five sums."""
        rows = [(row, hour, *sums) for row, hours in enumerate(shoppers) for hour, sums in hours.items()]
        table = np.array(rows, np.float64).reshape(-1, 7)
        return cls(len(shoppers), table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])


@dataclass(frozen=True, slots=True)
class ArmMoment:
    """An arm as it was known at a moment: shoppers answered by then, and metrics (None: too few data)."""

    users: int
    metrics: Mapping[str, Estimate | None]


def estimates(sums: NDArray[np.float64]) -> dict[str, Estimate | None]:
    """An arm's metrics by its shoppers' sums, float64[n, 5]: CTR and CVR per impression, GMV per user."""
    return {
        "ctr": ratio(sums[:, CLICKS], sums[:, IMPRESSIONS]),
        "cvr": ratio(sums[:, PURCHASES], sums[:, IMPRESSIONS]),
        "gmv_per_user": mean(sums[:, GMV]),
    }


def moments_of(first_ms: int, last_ms: int, most: int = MOST_MOMENTS) -> list[int]:
    """Ends of at most `most` equal parts of the hours between two times, unix milliseconds, rising.

    A time is the end of an hour, but for the last, which is `last_ms` or up to an hour after it.
    """
    first, last = first_ms // HOUR_MS, last_ms // HOUR_MS
    ends = np.unique(np.linspace(first, last, min(most, last - first + 1)).round().astype(np.int64))
    return [int(end + 1) * HOUR_MS for end in ends]


def arm_over_time(hours: Hours, ends_ms: list[int]) -> Iterator[ArmMoment]:
    """The arm at each of the moments, which rise; at the last with everything that came later too."""
    order = np.argsort(hours.hour, kind="stable")
    shopper, added = hours.shopper[order], hours.added[order]
    ends = np.searchsorted(hours.hour[order] * HOUR_MS, ends_ms, side="left")
    sums = np.zeros((hours.shoppers, hours.added.shape[1]))
    done = 0
    for position, end in enumerate(ends.tolist()):
        until = len(order) if position == len(ends_ms) - 1 else end
        np.add.at(sums, shopper[done:until], added[done:until])
        done = until
        answered = sums[sums[:, ANSWERS] > 0]
        yield ArmMoment(len(answered), estimates(answered))
