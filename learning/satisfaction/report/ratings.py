"""Reads shoppers' ratings out of the event log, each with what it was about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from learning.satisfaction.dimensions import DIMENSIONS
from snapshot.event_codes import PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.errors import AttributionError
from state.feedback_codes import RATED
from state.logged_event import LoggedEvent

OVERALL = "overall"
"""A dimension beside those of `feedback.proto`: the mean of what was rated."""

ReadLog = Callable[[], Iterable[tuple[int, LoggedEvent]]]


@dataclass(frozen=True, slots=True)
class Rated:
    """What a shopper said at one time.

    Attributes:
        user_id: the shopper.
        at_ms: unix milliseconds.
        values: dimension → 1…5; `OVERALL` is the mean of the others. Empty where only reasons were given.
        reasons: why, in words of the shop's own.
        scene: empty where it is not known.
        arms: experiment → arm, of the answer it was about.
        items: what it was about: the item named, else those of the answer that were bought, else opened.
    """

    user_id: str
    at_ms: int
    values: Mapping[str, float]
    reasons: tuple[str, ...]
    scene: str
    arms: Mapping[str, str]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ratings:
    """Every rating of a log, and `unreadable`: those whose token could not be read (another secret)."""

    rated: tuple[Rated, ...]
    unreadable: int


def read_ratings(read_log: ReadLog, attribution: AttributionCodec) -> Ratings:
    """The ratings of a log in its order. The log is read twice where a rating names no item.

    Args:
        read_log: begins to read the log anew, as `StateStore.read_log`.
        attribution: reads the ratings' tokens.
    """
    said = [event for _, event in read_log() if event.event == RATED and event.rating is not None]
    tokens: dict[str, Attribution | None] = {}
    for event in said:
        if event.attribution_token and event.attribution_token not in tokens:
            tokens[event.attribution_token] = _decoded(event.attribution_token, attribution)
    without_item = {event.attribution_token for event in said if not event.item_id} - {""}
    credited = _credited_items(read_log(), without_item) if without_item else {}
    rated = []
    for event in said:
        assert event.rating is not None
        values: dict[str, float] = {
            name: event.rating.ratings[name] for name in DIMENSIONS.values() if name in event.rating.ratings
        }
        if values:
            values[OVERALL] = sum(values.values()) / len(values)
        token = tokens.get(event.attribution_token)
        rated.append(
            Rated(
                event.user_id,
                event.timestamp_ms,
                values,
                tuple(event.rating.reasons),
                event.scene,
                token.arms if token is not None else {},
                (event.item_id,) if event.item_id else credited.get(event.attribution_token, ()),
            )
        )
    unreadable = sum(
        bool(event.attribution_token) and tokens[event.attribution_token] is None for event in said
    )
    return Ratings(tuple(rated), unreadable)


def _decoded(token: str, attribution: AttributionCodec) -> Attribution | None:
    try:
        return attribution.decode(token)
    except AttributionError:
        return None


def _credited_items(log: Iterable[tuple[int, LoggedEvent]], tokens: set[str]) -> dict[str, tuple[str, ...]]:
    """Token → items that its answer is credited with: those bought, else those opened."""
    bought: dict[str, dict[str, None]] = {}
    opened: dict[str, dict[str, None]] = {}
    for _, event in log:
        if event.attribution_token in tokens and event.event in (VIEW, PURCHASE):
            of_kind = bought if event.event == PURCHASE else opened
            of_kind.setdefault(event.attribution_token, {})[event.item_id] = None
    return {token: tuple(bought.get(token) or opened.get(token) or ()) for token in tokens}
