"""Bought together: items in the same baskets as the triggers (see `recall.bought_together_build`)."""

from __future__ import annotations

from pathlib import Path

from recall.bought_together_settings import BoughtTogetherSettings
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.completed_neighbours import CompletedNeighbours
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "bought_together"


class BoughtTogether:
    """Sums the neighbours' scores over the query's triggers."""

    name = NAME

    def __init__(self, neighbours: CompletedNeighbours) -> None:
        """The tables of `build`."""
        self._neighbours = neighbours

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items that share baskets with the triggers most; each names the one that contributed most."""
        return self._neighbours.recall(query, k, "sum")


def build(source: BuildSource, folder: Path, settings: BoughtTogetherSettings) -> dict[str, int]:
    """Write the channel's tables into `folder`; returns how many entries each holds."""
    from recall.bought_together_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: BoughtTogetherSettings
) -> BoughtTogether:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    return BoughtTogether(
        CompletedNeighbours.open(folder, catalogue, settings.complete_below, settings.complete_seldom)
    )


CHANNEL = ChannelKind(settings=BoughtTogetherSettings, build=build, open=open_channel, waits=False)
