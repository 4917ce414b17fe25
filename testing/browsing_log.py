"""A made-up event log: pages that shoppers see, and what they do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from snapshot.item_keys import item_keys
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag
from state.logged_event import LoggedEvent

START_S = 1_800_000_000
SECRET = b"a secret of 16 bytes and more"
CODEC = AttributionCodec([SECRET])
"""Signs the tokens."""


def token(
    shopper: str,
    number: int,
    at_s: int,
    items: Sequence[str],
    scene: str = "home",
    codec: AttributionCodec = CODEC,
) -> str:
    """The attribution token of an answer of these items at unix second `at_s`, one per `number`."""
    answer = Attribution(
        f"request-{number}",
        scene,
        "s1",
        "bst",
        "1",
        {},
        at_s,
        shopper_tag(shopper),
        item_filter(item_keys(items)),
    )
    return codec.encode(answer)


def event(
    code: int, item: str, at_s: float, shopper: str = "u1", attribution_token: str = "", **fields: Any
) -> LoggedEvent:
    """An event that arrived when it happened, at unix second `at_s`; `fields` replace others of it."""
    at_ms = int(at_s * 1_000)
    made = LoggedEvent(shopper, item, code, at_ms, at_ms, attribution_token=attribution_token)
    return msgspec.structs.replace(made, **fields)


def browsing_log(
    item_ids: Sequence[str],
    count: int,
    seed: int,
    at_s: int = START_S,
    *,
    shoppers: int = 200,
    longest_wait_s: int = 3,
) -> list[LoggedEvent]:
    """About `count` events of pages of eight items that shoppers see, click, put into the cart and buy.

    `longest_wait_s`: seconds between two pages, of all shoppers, at most.
    """
    random = np.random.default_rng(seed)
    made: list[LoggedEvent] = []
    page = 0
    while len(made) < count:
        page += 1
        at_s += int(random.integers(0, longest_wait_s + 1))
        shopper = f"u{random.integers(shoppers)}"
        shown = [item_ids[at] for at in random.choice(len(item_ids), 8, replace=False)]
        answer = token(shopper, page, at_s, shown)
        for position, item_id in enumerate(shown, start=1):
            made.append(event(IMPRESSION, item_id, at_s, shopper, answer, position=position))
            for code, share in ((VIEW, 0.2), (CART, 0.05), (PURCHASE, 0.03)):
                if random.random() < share:
                    made.append(event(code, item_id, at_s + 1, shopper, answer, position=position))
    return made
