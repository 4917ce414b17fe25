"""Visit_knn: what is in the visits, of anybody, that resemble what the shopper did lately.

Of visits, which hold what one shopper did in one sitting; how they are compared: `recall.visit_neighbours`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.query import Query
from recall.visit_index import VisitIndex
from recall.visit_neighbours import VisitNeighbours, VisitNeighbourSettings
from recall.visit_settings import VisitSettings
from snapshot.catalogue import Catalogue

NAME = "visit_knn"


class VisitKnnSettings(VisitNeighbourSettings, VisitSettings):
    """Visits that share items with the shopper's latest ones, and what else they hold."""

    events: Literal["auto", "purchases", "all"] = Field(
        default="all",
        description="Behaviours that fill a visit: purchases, or all but impressions; auto = purchases "
        "where they are at least a tenth of the behaviours, else all.",
    )
    items_per_basket: int = Field(
        default=50, ge=2, le=10_000, description="Latest distinct items of a visit that are kept."
    )
    visits: int = Field(
        default=1_000_000,
        ge=1,
        description="Newest visits of all shoppers that are kept (with 5 items each about 70 bytes).",
    )


class VisitKnn:
    """Looks the shopper's latest items up in the newest visits with each, and sums over the nearest."""

    name = NAME

    def __init__(self, neighbours: VisitNeighbours) -> None:
        """The index of `build`."""
        self._neighbours = neighbours

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items of the nearest visits; each names the shopper's item by which its best visit was found.

        Empty without a history, or where none of it is in any visit.
        """
        return self._neighbours.recall(query, k)


def build(source: BuildSource, folder: Path, settings: VisitKnnSettings) -> dict[str, int]:
    """Write the index into `folder`; returns how many visits and entries it holds.

    Raises NothingToRecall where no visit holds two items.
    """
    from recall.visits import Visits

    visits = Visits.of(source, settings, settings.visits)
    if not len(visits.begin):
        raise NothingToRecall("no visit of the log holds two items")
    index = VisitIndex.of(visits, source.catalogue.size, source.now, settings.visits_per_item)
    return index.write(folder)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: VisitKnnSettings
) -> VisitKnn:
    """Memory-map the index of `build`. Raises SnapshotError where it is torn or does not fit."""
    return VisitKnn(VisitNeighbours.open(folder, catalogue, settings))


CHANNEL = ChannelKind(settings=VisitKnnSettings, build=build, open=open_channel, waits=False)
