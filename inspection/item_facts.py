"""Everything that a snapshot knows of one item, and what its channels recall because of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np

from inspection.item_summaries import summaries, summary
from pipeline.guard import Outage, attempt
from protos.shopfront.v1.admin_pb2 import ChannelNeighbours, InspectItemResponse, ItemFact, Neighbour
from recall.channel import Channel
from recall.query import Query
from router.engine.engine import Engine
from router.query_features.read import default_features
from router.query_features.registry import QUERY_FEATURES
from snapshot.item_columns import ITEM_COLUMNS

_TIMEOUT_S = 2.0


async def inspect_item(engine: Engine, item: int, neighbours: int, now: int) -> InspectItemResponse:
    """The facts of a dense item above 0, and at most `neighbours` of each channel at unix second `now`."""
    found = await asyncio.gather(
        *(
            _neighbours(engine, name, channel, item, neighbours, now)
            for name, channel in engine.channels.items()
        )
    )
    return InspectItemResponse(
        item=summary(engine.catalogue, item),
        facts=_facts(engine, item),
        channels=[each for each in found if each is not None],
    )


def _facts(engine: Engine, item: int) -> list[ItemFact]:
    one = np.array([item], np.int32)
    return [
        ItemFact(
            name=name,
            value=engine.catalogue.display(name, one)[0],
            unit=column.unit,
            description=column.description,
        )
        for name, column in ITEM_COLUMNS.items()
    ]


async def _neighbours(
    engine: Engine, name: str, channel: Channel, item: int, limit: int, now: int
) -> ChannelNeighbours | None:
    """What the channel recalls because of the item; None where it recalls nothing because of items."""
    query = Query(
        scene="",
        now=now,
        model_versions=engine.model_versions,
        features=_every_default(),
    ).about(np.array([item], np.int32))
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            # One more, since the item itself may be among them.
            answer = await attempt(f"channel:{name}", lambda: channel.recall(query, limit + 1))
    except TimeoutError:
        return ChannelNeighbours(channel=name, failure=f"it took more than {_TIMEOUT_S:g} s")
    if isinstance(answer, Outage):
        return ChannelNeighbours(channel=name, failure=answer.detail)
    caused = (answer.triggers == item) & (answer.items != item)
    items, scores = answer.items[caused][:limit], answer.scores[caused][:limit]
    if not items.size:
        return None
    return ChannelNeighbours(
        channel=name,
        neighbours=[
            Neighbour(item=each, score=score)
            for each, score in zip(summaries(engine.catalogue, items), scores.tolist(), strict=True)
        ],
    )


def _every_default() -> Mapping[str, object]:
    return default_features(QUERY_FEATURES)
