"""Slots drawn at random, from the feature log, with what shoppers did with them, from the event log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.off_policy import NoPropensities
from snapshot.event_codes import IMPRESSION, VIEW
from state.attribution import logged_shopper
from state.attribution_scope import shopper_tag
from state.exposure_event import EXPOSURE_PREFIX
from state.feature_log.logged_page import LoggedPage
from state.logged_event import LoggedEvent


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A logged page with drawn slots that its shopper saw.

    user_id  of the shopper
    slots    int[m], drawn and seen, ascending
    clicked  bool[m], whether each slot's item was opened
    """

    page: LoggedPage
    user_id: str
    slots: NDArray[np.intp]
    clicked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LoggedDraws:
    """Drawn pages of one scene.

    pages   newest last
    drawn   slots drawn on the logged pages that were looked at
    unseen  of these, slots that no shopper was reported to have seen; they are in none of the pages
    """

    pages: list[DrawnPage]
    drawn: int
    unseen: int


def read_draws(
    features: Iterable[LoggedPage],
    events: Iterable[tuple[int, LoggedEvent]],
    scene: str,
    most: int,
) -> LoggedDraws:
    """The newest drawn slots of a scene, at most about `most`.

    Args:
        features: the feature log, oldest first.
        events: the event log, in any order.
        scene: whose pages are read.
        most: drawn slots; whole pages are kept.

    Whether a slot counts depends on its being reported as seen, and never on a click alone: counting what was
    clicked, though nobody reported it as seen, would count hits only.

    Raises:
        NoPropensities: no page has a drawn slot, or no drawn slot was reported as seen.
    """
    kept: deque[tuple[LoggedPage, NDArray[np.intp]]] = deque()
    answers = drawn = 0
    for page in features:
        if page.scene != scene:
            continue
        answers += 1
        if page.propensities is None:
            continue
        slots = np.flatnonzero(~np.isnan(page.propensities))
        if not slots.size:
            continue
        kept.append((page, slots))
        drawn += slots.size
        while drawn - kept[0][1].size >= most:
            drawn -= kept.popleft()[1].size
    if not kept:
        raise NoPropensities(
            f"the feature log has {answers:,} answers of scene {scene} and no propensity: nothing can be "
            "said of another policy without slots drawn at random. Set exploration and feature_log.enabled "
            "in the scene, and wait for answers"
        )
    reactions = _reactions(events, {page.attribution_token for page, _ in kept})
    pages, seen = [], 0
    for page, slots in kept:
        found = reactions.get(page.attribution_token)
        if found is None:
            continue
        at = np.array([slot for slot in slots.tolist() if page.item_ids[slot] in found.seen], np.intp)
        if at.size:
            clicked = np.array([page.item_ids[slot] in found.clicked for slot in at.tolist()], bool)
            pages.append(DrawnPage(page, found.user_id, at, clicked))
            seen += at.size
    if not pages:
        raise NoPropensities(
            f"none of the {drawn:,} drawn slots of scene {scene} was reported as seen: report impressions "
            "with the attribution token of their answer, since clicks alone would count hits only"
        )
    return LoggedDraws(pages, drawn, drawn - seen)


@dataclass(slots=True)
class _Reactions:
    user_id: str
    seen: set[str]
    clicked: set[str]


def _reactions(events: Iterable[tuple[int, LoggedEvent]], tokens: set[str]) -> Mapping[str, _Reactions]:
    """What the shopper of each answer did with its items; events of others with its token are ignored."""
    found: dict[str, _Reactions] = {}
    for _, event in events:
        token = event.attribution_token
        if token not in tokens or event.event not in (IMPRESSION, VIEW):
            continue
        if event.event_id.startswith(EXPOSURE_PREFIX) or logged_shopper(token) != shopper_tag(event.user_id):
            continue
        reactions = found.setdefault(token, _Reactions(event.user_id, set(), set()))
        (reactions.seen if event.event == IMPRESSION else reactions.clicked).add(event.item_id)
    return found
