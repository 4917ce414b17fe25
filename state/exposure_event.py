"""An exposure as an event of the log: that an experiment's arm made an answer."""

from __future__ import annotations

from collections.abc import Sequence

from snapshot.event_codes import IMPRESSION
from state.event_batch import EventBatch

EXPOSURE_PREFIX = "exposure:"
"""What the `event_id` of an exposure, and of no reported event, begins with."""


def exposure_event(
    user_id: str, request_id: str, scene: str, item_ids: Sequence[str], token: str, ts: int
) -> EventBatch:
    """One impression of the answer's first item, with the number of items shown as its quantity.

    item_ids  of the answer in page order, at least one
    token     the answer's attribution token, in which the arms stand
    ts        unix second at which it was answered
    """
    return EventBatch.build(
        [user_id],
        [item_ids[0]],
        [IMPRESSION],
        [ts * 1_000],
        ts * 1_000,
        scenes=[scene],
        positions=[1],
        attribution_tokens=[token],
        quantities=[len(item_ids)],
        event_ids=[f"{EXPOSURE_PREFIX}{request_id}:{scene}"],
    )
