"""Whom to ask for a rating, and when."""

from __future__ import annotations

from collections import deque

from foundation.statistics.assignment import BUCKETS, bucket
from learning.satisfaction.settings import AskSettings
from state.event_batch import EventBatch
from state.feedback_codes import ASKED, SURVEY_ID
from state.logged_event import LoggedEvent
from state.user_state import Behaviours

_DAY_S = 86_400
_MINUTE_S = 60.0


def is_sampled(settings: AskSettings, user_id: str, now: float) -> bool:
    """Whether the shopper is among those who may be asked on the day (UTC) of unix second `now`.

    The same on every replica; another day is an independent draw.
    """
    day = int(now // _DAY_S)
    return bucket(f"{settings.seed}:{day}", user_id) < settings.share * BUCKETS


def was_asked_lately(settings: AskSettings, surveys: Behaviours, now: float) -> bool:
    """Whether the shopper was asked, or rated, within the quiet days before unix second `now`."""
    return bool((surveys.ts > now - settings.quiet_days * _DAY_S).any())


def question(user_id: str, surveys: Behaviours, now: float) -> EventBatch:
    """That a shopper was asked at unix second `now`, as an event.

    Its id follows from what `surveys` has last, so that of two from one reading one is a repeat.
    """
    now_ms = int(now * 1_000)
    last = int(surveys.ts.max(initial=0))
    return EventBatch.of([LoggedEvent(user_id, "", ASKED, now_ms, now_ms, event_id=f"{SURVEY_ID}:{last}")])


class AskRate:
    """Counts the questions of the last minute."""

    def __init__(self, per_minute: int) -> None:
        """`per_minute`: most questions within any 60 seconds."""
        self._per_minute = per_minute
        self._asked: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Counts a question at monotonic second `now`; False, uncounted, where there is no room."""
        while self._asked and self._asked[0] <= now - _MINUTE_S:
            self._asked.popleft()
        if len(self._asked) >= self._per_minute:
            return False
        self._asked.append(now)
        return True
