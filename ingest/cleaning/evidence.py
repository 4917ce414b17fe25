"""What a rule may rely on besides the events: how fine their timestamps are, and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_RESOLUTIONS_MS = (86_400_000, 3_600_000, 60_000, 1_000)
_COARSE_SHARE = 0.99


@dataclass(frozen=True)
class Evidence:
    """Facts about the events that hold for every rule.

    Attributes:
        resolution_ms: coarseness of the timestamps in milliseconds. Two timestamps t apart are truly less
            than t + resolution_ms apart; rules remove only what is certain under that bound, so a rule
            about seconds is silent on data with dates alone.
        seed: of rules that draw.
    """

    resolution_ms: int
    seed: int


def time_resolution_ms(ts_ms: pl.Series) -> int:
    """The coarsest of day, hour, minute, second and millisecond that the timestamps are whole multiples of.

    One timestamp in a hundred may be finer, so that a few odd rows do not make dates look like exact times.

    Args:
        ts_ms: int64[e], unix milliseconds.
    """
    for resolution in _RESOLUTIONS_MS:
        if int((ts_ms % resolution == 0).sum()) >= _COARSE_SHARE * len(ts_ms):
            return resolution
    return 1
