"""Checked events on their way into the store, as columns of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from snapshot.item_keys import item_keys


@dataclass(frozen=True, slots=True)
class EventBatch:
    """n events in order of arrival.

    `item_keys` uint64[n] are the keys of `item_ids`; `events` uint8[n] are `EventType` codes 1…5;
    `timestamps_ms` int64[n] are unix milliseconds; `arrived_ms` is the unix millisecond at which the batch
    arrived. The optional fields of an event hold the contract's zero values where the caller gave none.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    item_keys: np.ndarray
    events: np.ndarray
    timestamps_ms: np.ndarray
    arrived_ms: int
    scenes: Sequence[str]
    positions: Sequence[int]
    attribution_tokens: Sequence[str]
    quantities: Sequence[int]
    prices: Sequence[float]
    queries: Sequence[str]
    event_ids: Sequence[str]
    session_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.user_ids)

    @classmethod
    def build(
        cls,
        user_ids: Sequence[str],
        item_ids: Sequence[str],
        events: Sequence[int] | np.ndarray,
        timestamps_ms: Sequence[int] | np.ndarray,
        arrived_ms: int,
        *,
        scenes: Sequence[str] | None = None,
        positions: Sequence[int] | None = None,
        attribution_tokens: Sequence[str] | None = None,
        quantities: Sequence[int] | None = None,
        prices: Sequence[float] | None = None,
        queries: Sequence[str] | None = None,
        event_ids: Sequence[str] | None = None,
        session_ids: Sequence[str] | None = None,
    ) -> "EventBatch":
        """The batch of these columns; those left out are filled with the contract's zero values.

        Raises:
            ValueError: the columns differ in length.
        """
        n = len(user_ids)
        no_text = ("",) * n
        batch = cls(
            user_ids=user_ids,
            item_ids=item_ids,
            item_keys=item_keys(item_ids),
            events=np.asarray(events, dtype=np.uint8),
            timestamps_ms=np.asarray(timestamps_ms, dtype=np.int64),
            arrived_ms=arrived_ms,
            scenes=no_text if scenes is None else scenes,
            positions=(0,) * n if positions is None else positions,
            attribution_tokens=no_text if attribution_tokens is None else attribution_tokens,
            quantities=(1,) * n if quantities is None else quantities,
            prices=(0.0,) * n if prices is None else prices,
            queries=no_text if queries is None else queries,
            event_ids=no_text if event_ids is None else event_ids,
            session_ids=no_text if session_ids is None else session_ids,
        )
        for column in fields(cls):
            if column.name != "arrived_ms" and len(getattr(batch, column.name)) != n:
                raise ValueError(
                    f"column {column.name} has {len(getattr(batch, column.name))} rows, user_ids has {n}"
                )
        return batch
