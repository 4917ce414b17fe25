"""Hot lists: what the shopper's crowd takes most, then coarser crowds, then everybody.

A crowd is a combination of gender × age band × city. The lists are read from the finest crowd down, along
`FALLBACK`; what a finer crowd already gave is not repeated. A field the profile lacks skips the crowds that
need it. The list of everybody holds every item in stock, so any shopper gets as many as there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.hot_tables import CROWDS_FILE, FALLBACK, LISTS, Crowd, HotSettings
from recall.lists import ItemLists
from recall.merge import first_of_each
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = "hot"


class Hot:
    """Concatenates the lists of the crowds a profile belongs to."""

    name = NAME

    def __init__(self, lists: ItemLists, crowds: list[Crowd]) -> None:
        """Row r of the lists belongs to the r-th crowd; everybody's is among them."""
        self._lists = lists
        self._row_of_crowd = {crowd: row for row, crowd in enumerate(crowds)}

    def rows(self, profile: Mapping[str, str]) -> list[int]:
        """Rows of the crowds the profile belongs to and that have a list, finest first, everybody last."""
        rows = []
        for fields in FALLBACK:
            if all(profile.get(field) for field in fields):
                row = self._row_of_crowd.get(tuple((field, profile[field]) for field in fields))
                if row is not None:
                    rows.append(row)
        return rows

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k hottest items (fewer only where fewer are in stock). No triggers.

        Of a query that must have something, only items that have it: any page can be filled with them.

        Scores fall along the answer: the integer part counts the coarser lists still to come, the fraction is
        the item's share of its list's hottest.
        """
        rows = np.array(self.rows(query.profile))
        # k of each list are enough: the last alone could fill the answer.
        eligible = query.wish.eligible
        items, shares, level = self._lists.gather(rows, limit=k if eligible is None else None)
        if eligible is not None:
            kept = np.flatnonzero(eligible[items])
            of_level = level[kept]
            # The first k of each list, as without a must.
            kept = kept[np.arange(kept.size) - np.searchsorted(of_level, of_level) < k]
            items, shares, level = items[kept], shares[kept], level[kept]
        first = first_of_each(items, k)
        scores = (len(rows) - 1 - level[first]) + shares[first]
        return Recalled(items[first], scores.astype(np.float32), np.zeros(len(first), np.int32))


def build(source: BuildSource, folder: Path, settings: HotSettings) -> dict[str, int]:
    """Write the crowds and their lists into `folder`; returns how many there are."""
    from recall.hot_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: HotSettings) -> Hot:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    try:
        crowds = msgspec.json.decode((folder / CROWDS_FILE).read_bytes(), type=list[Crowd])
    except (OSError, msgspec.DecodeError) as error:
        raise SnapshotError(
            folder, CROWDS_FILE, f"cannot be read ({error})", "build the snapshot again"
        ) from error
    if () not in crowds:
        raise SnapshotError(folder, CROWDS_FILE, "lacks the crowd of everybody", "build the snapshot again")
    lists = ItemLists.open(folder, LISTS, len(crowds))
    listed = int(lists.lengths(np.array([crowds.index(())]))[0])
    in_stock = int(np.count_nonzero(catalogue.in_stock))
    if listed != in_stock:
        raise SnapshotError(
            folder,
            CROWDS_FILE,
            f"everybody's list holds {listed} items, the catalogue {in_stock} in stock",
            "build the snapshot again",
        )
    return Hot(lists, crowds)


CHANNEL = ChannelKind(settings=HotSettings, build=build, open=open_channel, waits=False)
