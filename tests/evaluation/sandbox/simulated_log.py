"""A feature log and an event log of shoppers whose click rates are known, made by the scene's own draws."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.sandbox.recorded_pages import PageToMake
from evaluation.sandbox.replay import Contender
from router.page.exploration import explore
from router.service.validation import CheckedRequest, SceneRequest
from snapshot.event_codes import IMPRESSION, VIEW
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import shopper_tag
from state.feature_log.logged_page import LoggedPage
from state.logged_event import LoggedEvent

PAGE = 8


class SimulatedLog(NamedTuple):
    """pages: feature log; events: of the event log; click_rates: float64[N+1] by dense item."""

    pages: list[LoggedPage]
    events: list[tuple[int, LoggedEvent]]
    click_rates: NDArray[np.float64]


def simulated_log(
    contender: Contender, users: Sequence[str], visits: int, now: int, seed: int
) -> SimulatedLog:
    """Pages of scene home with drawn slots; each slot is seen with chance .9, and clicked by its rate."""
    random = np.random.default_rng(seed)
    catalogue = contender.engine.catalogue
    click_rates = np.random.default_rng(99).uniform(0.02, 0.6, catalogue.size + 1)
    codec = AttributionCodec()
    exploration = contender.engine.scenes["home"].exploration
    assert exploration is not None
    pages, events = [], []
    for user in users:
        page = asyncio.run(contender.make(asked(user, now)))
        items = page.pool.take(
            np.concatenate([np.flatnonzero(page.pool.items == item) for item in page.items])
        )
        others = page.pool.take(np.isin(page.pool.items, page.items, invert=True))
        for visit in range(visits):
            request_id = f"{seed}-{user}-{visit}"
            drawn = explore(items, others, exploration, request_id)
            ids = catalogue.item_ids(drawn.items.items)
            token = codec.encode(
                Attribution(request_id, "home", "", "bst", "1", {}, now, shopper=shopper_tag(user))
            )
            pages.append(
                LoggedPage(
                    attribution_token=token,
                    request_id=request_id,
                    scene="home",
                    user="",
                    ts=now,
                    snapshot_id="",
                    model_name="bst",
                    model_version="1",
                    arms={},
                    channel_names=(),
                    history_length=0,
                    profile_codes=page.query.profile_codes,
                    context_codes=page.query.context_codes,
                    item_ids=ids,
                    scores=drawn.items.score,
                    recall_scores=drawn.items.recall_score,
                    channels=drawn.items.channels,
                    propensities=drawn.propensities,
                )
            )
            seen = random.random(len(ids)) < 0.9
            clicked = seen & (random.random(len(ids)) < click_rates[drawn.items.items])
            for code, happened in ((IMPRESSION, seen), (VIEW, clicked)):
                events += [
                    LoggedEvent(user, ids[slot], code, now * 1000, now * 1000, attribution_token=token)
                    for slot in np.flatnonzero(happened)
                ]
    return SimulatedLog(pages, list(enumerate(events, 1)), click_rates)


def asked(user: str, now: int, size: int = PAGE) -> PageToMake:
    """A page of scene home."""
    request = CheckedRequest((SceneRequest("home", size),), user, "", "", (), False, None)
    return PageToMake(request, now)


def with_propensities(page: LoggedPage, propensities: NDArray[np.float64] | None) -> LoggedPage:
    """The page with others."""
    return replace(page, propensities=propensities)
