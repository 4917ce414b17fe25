"""An exposure as an event of the log: that an experiment's arm made an answer."""

from __future__ import annotations

from collections.abc import Sequence

from snapshot.event_codes import IMPRESSION
from state.event_batch import EventBatch
from state.logged_event import LoggedEvent

EXPOSURE_PREFIX = "exposure:"
"""What the `event_id` of an exposure, and of no reported event, begins with."""


def exposure_event(
    user_id: str, request_id: str, scene: str, item_ids: Sequence[str], token: str, ts: int
) -> EventBatch:
    """One impression of the answer's first item, with the number of items shown as its quantity.

    Args:
        user_id: the shopper.
        request_id: the answer's request id.
        scene: the answer's scene.
        item_ids: of the answer in page order, at least one.
        token: the answer's attribution token, which contains the arms.
        ts: unix second at which it was answered.
    """
    return EventBatch.of(
        [
            LoggedEvent(
                user_id=user_id,
                item_id=item_ids[0],
                event=IMPRESSION,
                timestamp_ms=ts * 1_000,
                arrived_ms=ts * 1_000,
                scene=scene,
                position=1,
                attribution_token=token,
                quantity=len(item_ids),
                event_id=f"{EXPOSURE_PREFIX}{request_id}:{scene}",
            )
        ]
    )
