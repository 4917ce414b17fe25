"""Whom to ask for a rating, and when."""

from __future__ import annotations

from foundation.statistics.assignment import BUCKETS, bucket
from learning.satisfaction.settings import AskSettings
from state.event_batch import EventBatch
from state.feedback_codes import ASKED, SURVEY_ID
from state.logged_event import LoggedEvent
from state.user_state import Behaviours

QUESTIONS = "questions"
"""Under which questions are counted in the store."""
MINUTE_S = 60.0
_DAY_S = 86_400


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
