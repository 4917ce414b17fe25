"""User_knn: what shoppers like this one took (user-based collaborative filtering).

A shopper is all that they took, in the order of the latest time, and is compared as visits are
(`recall.visit_neighbours`): by rare items in common, the asked shopper's latest ones first.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.query import Query
from recall.visit_index import VisitIndex
from recall.visit_neighbours import VisitNeighbours, VisitNeighbourSettings
from snapshot.catalogue import Catalogue

NAME = "user_knn"


class UserKnnSettings(VisitNeighbourSettings):
    """Shoppers who share items with this one, and what else they took."""

    neighbours: int = Field(default=100, ge=1, le=10_000, description="m: most similar shoppers that count.")
    items_per_user: int = Field(
        default=100, ge=2, le=10_000, description="Latest distinct items of a shopper that are kept."
    )
    users: int = Field(
        default=1_000_000,
        ge=1,
        description="Shoppers that are kept, those seen last (with 20 items each about 220 bytes).",
    )


class UserKnn:
    """Looks the shopper's latest items up in the shoppers who took them last, and sums over the nearest."""

    name = NAME

    def __init__(self, neighbours: VisitNeighbours) -> None:
        """The index of `build`."""
        self._neighbours = neighbours

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items of the nearest shoppers; each names the item by which its best shopper was found.

        Empty without a history, or where nobody else took any of it.
        """
        return self._neighbours.recall(query, k)


def build(source: BuildSource, folder: Path, settings: UserKnnSettings) -> dict[str, int]:
    """Write the index into `folder`; returns how many shoppers (visits) and entries it holds.

    Raises NothingToRecall where no shopper took two items.
    """
    from recall.visits import Visits

    shoppers = Visits.of_shoppers(source, settings.items_per_user, settings.users)
    if not len(shoppers.begin):
        raise NothingToRecall("no shopper of the log took two items")
    index = VisitIndex.of(shoppers, source.catalogue.size, source.now, settings.visits_per_item)
    return index.write(folder)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: UserKnnSettings
) -> UserKnn:
    """Memory-map the index of `build`. Raises SnapshotError where it is torn or does not fit."""
    return UserKnn(VisitNeighbours.open(folder, catalogue, settings))


CHANNEL = ChannelKind(settings=UserKnnSettings, build=build, open=open_channel, waits=False)
