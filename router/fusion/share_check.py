"""The check that every fusion makes of its channels' shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.candidates import MAX_CHANNELS


def check_shares(shares: npt.NDArray[np.float64], channels: int) -> None:
    """Raises ValueError unless shares float64[c] are finite, not negative and sum to more than 0.

    channels  number of answers to be fused, c, at most `MAX_CHANNELS`; 0 needs no share
    """
    if shares.shape != (channels,) or channels > MAX_CHANNELS:
        raise ValueError(
            f"{channels} channels (at most {MAX_CHANNELS}) need as many shares, got {shares.shape}"
        )
    if channels and not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise ValueError(f"shares must be finite, not negative, and sum to more than 0, got {shares}")
