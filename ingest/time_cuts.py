"""Where training, validation and test part in time."""

from __future__ import annotations

import polars as pl

from ingest.settings import CutSettings
from snapshot.manifest import Cuts


def time_cuts(ts: pl.Series, settings: CutSettings) -> Cuts:
    """Cuts at quantiles of event time.

    Where both quantiles fall into one moment, as in a short log or one with dates alone, the first cut is the
    last moment before it, so that the range between them is not empty.

    Args:
        ts: int64[e], unix seconds, not empty.
        settings: the quantiles.

    Returns:
        `valid_from` and `test_from` in unix seconds; train is `ts < valid_from`, test is `ts ≥ test_from`.
    """
    valid_from = ts.quantile(settings.valid_quantile, interpolation="higher")
    test_from = ts.quantile(settings.test_quantile, interpolation="higher")
    if valid_from is None or test_from is None:
        raise ValueError("there are no events to cut")
    if valid_from == test_from:
        moments = ts.filter(ts < test_from).unique().sort()
        # A range before the first cut is needed more than one between the cuts.
        valid_from = moments[-1] if len(moments) > 1 else valid_from
    return Cuts(valid_from=int(valid_from), test_from=int(test_from))
