"""A channel that recalls nothing that the answer must not show, so that fusion's places go to the others."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.stages import Channel, Recalled, RecalledColumns
from recall.query import Query


@dataclass(frozen=True, slots=True)
class Restricted:
    """The channel, without items that violate a must of the query's wish."""

    channel: Channel[Query]

    @property
    def name(self) -> str:
        """That of the channel."""
        return self.channel.name

    async def recall(self, query: Query, k: int) -> RecalledColumns:
        """As the channel recalls, in its order."""
        recalled = await self.channel.recall(query, k)
        eligible = query.wish.eligible
        if eligible is None or not recalled.items.size:
            return recalled
        kept = eligible[recalled.items]
        items, scores, triggers = recalled.items[kept], recalled.scores[kept], recalled.triggers[kept]
        return Recalled(items, scores, triggers, recalled.missing)
