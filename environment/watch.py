"""Fills the board from the feed, again and again; what was good stays where the feed fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from environment.board import Board
from environment.feeds import Feed
from environment.metrics import EnvironmentMetrics
from environment.readings import FeedError
from environment.weather_file import read_weather

logger = logging.getLogger(__name__)


class EnvironmentWatch:
    """One feed and the board that it fills."""

    def __init__(
        self, feed: Feed, board: Board, metrics: EnvironmentMetrics, wall_clock: Callable[[], float]
    ) -> None:
        """`wall_clock`: unix seconds."""
        self._feed = feed
        self._board = board
        self._metrics = metrics
        self._wall_clock = wall_clock
        self._failing = False
        self._on: frozenset[str] = frozenset()

    async def look(self) -> bool:
        """Looks at the feed once; whether anything was taken. Of failures in a row the first is logged."""
        try:
            content = await self._feed.read()
            checked = None if content is None else await asyncio.to_thread(read_weather, content)
        except FeedError as error:
            self._metrics.looks["failed",].inc()
            if not self._failing:
                logger.warning(
                    "the feed %s: %s; what it said before stays until it is stale", self._feed.name, error
                )
            self._failing = True
            self._observe()
            return False
        if self._failing:
            logger.info("the feed %s is read again", self._feed.name)
        self._failing = False
        if checked is not None:
            for reason, count in self._board.add(checked, int(self._wall_clock())).items():
                if count:
                    self._metrics.drops[reason,].inc(count)
        self._metrics.looks["unchanged" if checked is None else "taken",].inc()
        self._observe()
        return checked is not None

    async def run(self, interval_s: float) -> None:
        """Looks every `interval_s` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            await self.look()

    def _observe(self) -> None:
        now_s = int(self._wall_clock())
        if self._board.newest_s:
            self._metrics.age.set(max(now_s - self._board.newest_s, 0))
        on = self._board.on(now_s)
        for name in self._on | on.keys():
            self._metrics.alerts.labels(name).set(on.get(name, 0))
        for name in on.keys() - self._on:
            logger.info("the alert %s is in force in %d cities", name, on[name])
        for name in self._on - on.keys():
            logger.info("the alert %s has ended", name)
        self._on = frozenset(on)
