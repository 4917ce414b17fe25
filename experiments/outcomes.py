"""What shoppers in each arm saw and did, gathered from the event log by shopper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.log_tokens import LogTokens
from experiments.over_time import ANSWERS, CLICKS, GMV, HOUR_MS, IMPRESSIONS, PURCHASES, Hours
from snapshot.event_codes import IMPRESSION, PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.exposure_event import EXPOSURE_PREFIX
from state.logged_event import LoggedEvent


@dataclass(frozen=True, slots=True)
class ArmOutcomes:
    """One arm, a row for each shopper it answered.

    answers      int64[n], answers shown
    impressions  int64[n], items in them
    clicks       int64[n], of these items, those opened
    purchases    int64[n], of these items, those bought
    gmv          float64[n], price times quantity of what was bought, in the shop's currency
    hours        the same by the hours in which they came
    """

    answers: NDArray[np.int64]
    impressions: NDArray[np.int64]
    clicks: NDArray[np.int64]
    purchases: NDArray[np.int64]
    gmv: NDArray[np.float64]
    hours: Hours

    @property
    def users(self) -> int:
        """Shoppers the arm answered."""
        return len(self.answers)


@dataclass(frozen=True, slots=True)
class ExperimentOutcomes:
    """One experiment.

    arms         outcomes by arm
    crossed      shoppers answered by several arms (the division was changed under way); they are in none
    unexposed    shoppers with a click or purchase but no logged answer; they are in none
    first_ms, last_ms  times of the first and the last answer, unix milliseconds
    """

    arms: Mapping[str, ArmOutcomes]
    crossed: int
    unexposed: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All experiments with a logged answer.

    unreadable  events whose attribution token could not be read (another secret, a token forged)
    unpriced    purchases without a price, which add nothing to the GMV
    """

    experiments: Mapping[str, ExperimentOutcomes]
    unreadable: int
    unpriced: int


@dataclass(slots=True)
class _User:
    """What one shopper saw and did in one arm."""

    answers: int = 0
    clicked: set[tuple[str, str, str]] = field(default_factory=set)
    bought: set[tuple[str, str, str]] = field(default_factory=set)
    hours: dict[int, list[float]] = field(default_factory=dict)
    """Hour since 1970 → what came in it, as columns of `Hours.added`."""

    def add(self, at_ms: int, column: int, amount: float) -> None:
        """Adds to one column at a time."""
        self.hours.setdefault(at_ms // HOUR_MS, [0.0] * 5)[column] += amount


@dataclass(slots=True)
class _Gathered:
    arms: dict[str, dict[str, _User]] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0


def read_outcomes(log: Iterable[tuple[int, LoggedEvent]], attribution: AttributionCodec) -> Outcomes:
    """Gathers the outcomes of every experiment in a log, in one pass.

    log  as `StateStore.read_log` gives it, in any order

    An event counts for the arms in its attribution token, whenever it comes. An item of one answer is clicked
    or bought once, however often the shopper does; each purchase of it adds to the GMV.
    """
    tokens = LogTokens(attribution)
    gathered: dict[str, _Gathered] = {}
    unreadable = unpriced = 0
    for _, event in log:
        if not event.attribution_token or event.event not in (IMPRESSION, VIEW, PURCHASE):
            continue
        if event.event == IMPRESSION and not event.event_id.startswith(EXPOSURE_PREFIX):
            continue
        token = tokens.read(event.attribution_token)
        if token is None:
            unreadable += 1
            continue
        unpriced += bool(token.arms) and event.event == PURCHASE and event.price <= 0
        for experiment, arm in token.arms.items():
            found = gathered.setdefault(experiment, _Gathered())
            user = found.arms.setdefault(arm, {}).setdefault(event.user_id, _User())
            _add(user, event, token)
            if event.event == IMPRESSION:
                found.first_ms = min(found.first_ms or event.timestamp_ms, event.timestamp_ms)
                found.last_ms = max(found.last_ms, event.timestamp_ms)
    experiments = {name: _columns(found) for name, found in gathered.items() if found.last_ms}
    return Outcomes(experiments, unreadable, unpriced)


def _add(user: _User, event: LoggedEvent, token: Attribution) -> None:
    at = event.timestamp_ms
    if event.event == IMPRESSION:
        user.answers += 1
        user.add(at, ANSWERS, 1)
        user.add(at, IMPRESSIONS, event.quantity)
        return
    item = (token.request_id, token.scene, event.item_id)
    if event.event == VIEW:
        if item not in user.clicked:
            user.clicked.add(item)
            user.add(at, CLICKS, 1)
        return
    if item not in user.bought:
        user.bought.add(item)
        user.add(at, PURCHASES, 1)
    user.add(at, GMV, event.price * event.quantity)


def _columns(found: _Gathered) -> ExperimentOutcomes:
    arms_of: dict[str, int] = {}

    for users in found.arms.values():
        for name, user in users.items():
            arms_of[name] = arms_of.get(name, 0) + (user.answers > 0)
    arms = {}
    for arm, users in sorted(found.arms.items()):
        counted = [user for name, user in users.items() if user.answers and arms_of[name] == 1]
        hours = Hours.of([user.hours for user in counted])
        sums = np.zeros((len(counted), 5))
        np.add.at(sums, hours.shopper, hours.added)
        arms[arm] = ArmOutcomes(
            answers=sums[:, ANSWERS].astype(np.int64),
            impressions=sums[:, IMPRESSIONS].astype(np.int64),
            clicks=sums[:, CLICKS].astype(np.int64),
            purchases=sums[:, PURCHASES].astype(np.int64),
            gmv=sums[:, GMV],
            hours=hours,
        )
    return ExperimentOutcomes(
        arms,
        crossed=sum(count > 1 for count in arms_of.values()),
        unexposed=sum(count == 0 for count in arms_of.values()),
        first_ms=found.first_ms,
        last_ms=found.last_ms,
    )
