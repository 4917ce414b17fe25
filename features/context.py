"""Context encoding: when and on what device a request is made."""

from __future__ import annotations

import numpy as np

DEVICES = ("phone", "tablet", "desktop", "app")
CONTEXT_SIZES = (25, 8, 5)
"""Number of codes of hour of day, weekday and device, including 0 for unknown."""

_HOUR = 3_600
_DAY = 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def encode_context(now: int, device: str = "") -> np.ndarray:
    """Encode one request's context.

    Args:
        now: unix seconds.
        device: one of `DEVICES`; anything else is unknown.

    Returns:
        int32[3]: hour of day in UTC + 1, weekday (Monday 0) + 1, position in `DEVICES` + 1 or 0.
    """
    code = DEVICES.index(device) + 1 if device in DEVICES else 0
    context: np.ndarray = encode_context_batch(np.array([now], np.int64), np.array([code], np.int32))[0]
    return context


def encode_context_batch(now: np.ndarray, devices: np.ndarray | None = None) -> np.ndarray:
    """Encode the contexts of many requests.

    Args:
        now: int64[B], unix seconds.
        devices: int32[B], position in `DEVICES` + 1 or 0; None where all are unknown.

    Returns:
        int32[B, 3], row b as from `encode_context`.
    """
    now = np.asarray(now, dtype=np.int64)
    context = np.zeros((len(now), len(CONTEXT_SIZES)), dtype=np.int32)
    context[:, 0] = now // _HOUR % 24 + 1
    context[:, 1] = (now // _DAY + _EPOCH_WEEKDAY) % 7 + 1
    if devices is not None:
        context[:, 2] = devices
    return context
