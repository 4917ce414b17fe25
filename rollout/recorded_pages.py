"""Recorded requests scored by both versions before traffic: would too many be given another order?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recall.query import Query
from rollout.judging.check_context import CheckContext
from rollout.judging.check_pages import evidence_above
from rollout.judging.check_pages import pages as check_pages
from rollout.judging.settings import JudgeSettings
from rollout.page_counts import PageCounts
from rollout.page_difference import BOUNDS, outside, page_difference
from rollout.request_groups import groups_of

_TESTS = 2


class RecordedPages:
    """What recorded requests have shown so far."""

    def __init__(self, settings: JudgeSettings) -> None:
        """Begins without requests."""
        self._settings = settings
        self._pages = PageCounts()
        self._repeated = PageCounts()

    def observe(
        self, query: Query, stable: NDArray[np.float32], rounds: Sequence[NDArray[np.float32]]
    ) -> None:
        """Adds one request.

        stable  float32[n], finite, of the version that serves
        rounds  float32[n] each, finite, of the candidate, asked at least once; the request counts as too
                different where any of them is, and as repeated badly where a later one is too different from
                the first
        """
        user = query.user_id or f"recorded {self._pages.count}"
        groups = groups_of(query, stable.size)
        self._pages.observe(user, groups, self._beyond(stable, rounds))
        self._repeated.observe(user, (), self._beyond(rounds[0], rounds[1:]))

    def refusal(self) -> str:
        """Why the candidate must not answer anybody; "" where nothing speaks against it.

        The same tests as of traffic, with a chance of error `judge.alpha` of their own, and in addition
        whether the candidate gives the same order again when it is asked again.
        """
        settings, requests = self._settings.pages, self._pages.count
        if not settings.enabled or not requests:
            return ""
        alpha = self._settings.alpha / _TESTS
        # A few requests may be all of one shopper; where all of them are far outside, they are enough.
        context = CheckContext(
            alpha=alpha,
            min_requests=0,
            requests=(requests, requests),
            min_users=0,
            users=(requests, requests),
        )
        check = check_pages(self._pages, settings, context)
        if check.verdict == "fail":
            return f"of recent requests, {check.reason}"
        if evidence_above(*self._repeated.whole, settings.unsteady_share) >= -np.log(alpha):
            changed = f"{self._repeated.outside} of {requests} recent requests"
            return f"asked again it gives another order in {changed}"
        return ""

    @property
    def found(self) -> str:
        """What was found, for a person."""
        return f"{self._pages.outside} of {self._pages.count} too different"

    def _beyond(
        self, reference: NDArray[np.float32], others: Sequence[NDArray[np.float32]]
    ) -> tuple[bool, ...]:
        beyond = np.zeros(len(BOUNDS), bool)
        for scores in others:
            difference = page_difference(reference, scores, self._settings.overlap.k)
            if difference is not None:
                beyond |= outside(difference, self._settings.pages.bounds)
        return tuple(beyond.tolist())
