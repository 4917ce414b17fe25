"""Ranki2i: items that go with the shopper's triggers, similarity × rate (see `recall.ranki2i_build`)."""

from __future__ import annotations

from pathlib import Path

from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.completed_neighbours import CompletedNeighbours
from recall.query import Query
from recall.ranki2i_settings import Ranki2iSettings
from snapshot.catalogue import Catalogue

NAME = "ranki2i"


class Ranki2i:
    """Sums (or maximises) the neighbours' scores over the query's triggers."""

    name = NAME

    def __init__(self, neighbours: CompletedNeighbours, settings: Ranki2iSettings) -> None:
        """The tables of `build`."""
        self._neighbours = neighbours
        self._merge = settings.merge

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items that go best with the triggers; each names the trigger that contributed most."""
        return self._neighbours.recall(query, k, self._merge)


def build(source: BuildSource, folder: Path, settings: Ranki2iSettings) -> dict[str, int]:
    """Write the channel's tables into `folder`; returns how many entries each holds."""
    from recall.ranki2i_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: Ranki2iSettings
) -> Ranki2i:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    return Ranki2i(CompletedNeighbours.open(folder, catalogue, settings.complete_below), settings)


CHANNEL = ChannelKind(settings=Ranki2iSettings, build=build, open=open_channel, waits=False)
