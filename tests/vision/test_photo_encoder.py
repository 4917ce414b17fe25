"""A photo whose call's time is over: its decoding ends, and the call says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from PIL import Image

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.stages import DeadlineExceeded
from router.ranking.triton_client import TritonClient
from router.service.call import Call
from tests.vision.pictures import encoded
from vision.photo_encoder import PhotoEncoder
from vision.settings import PhotoSearchSettings

PICTURE = encoded(Image.effect_noise((700, 700), 90).convert("RGB"), "JPEG", quality=95)


def encoder(clock: Callable[[], float]) -> PhotoEncoder:
    return PhotoEncoder(PhotoSearchSettings(), cast("TritonClient", None), ProcessMetrics(), clock)


@pytest.mark.parametrize(("deadline", "timeout_ms"), [(1.0, 0), (None, 1_000), (None, 0)])
def test_decoding_ends_with_the_time_of_its_call(deadline: float | None, timeout_ms: int) -> None:
    """The clock goes on by a second with every block that is read; without a timeout 10 seconds are given."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    with pytest.raises(DeadlineExceeded):
        asyncio.run(encoder(clock).decode(PICTURE, Call("one", 0.0, deadline), timeout_ms, whole=False))
    assert now == (10.0 if deadline is None and not timeout_ms else 1.0)


def test_a_photo_in_time_is_decoded() -> None:
    image = asyncio.run(encoder(lambda: 0.5).decode(PICTURE, Call("one", 0.0, 1.0), 0, whole=False))
    assert image.size == (700, 700)
