"""The board of weather and alerts, and what fills it where a feed is configured."""

from __future__ import annotations

import time

from environment.board import Board
from environment.feeds import feed_of
from environment.metrics import EnvironmentMetrics
from environment.settings import EnvironmentSettings
from environment.watch import EnvironmentWatch
from foundation.telemetry.metrics.process_metrics import ProcessMetrics


async def open_environment(
    settings: EnvironmentSettings, metrics: ProcessMetrics
) -> tuple[Board, EnvironmentWatch | None]:
    """The board, filled once, and the watch that keeps it so; None where no feed is configured.

    A feed that fails now is asked again later; until then nothing is known.
    """
    board = Board.of_settings(settings)
    feed = feed_of(settings)
    if feed is None:
        return board, None
    watch = EnvironmentWatch(feed, board, metrics.group(EnvironmentMetrics), time.time)
    await watch.look()
    return board, watch
