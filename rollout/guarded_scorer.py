"""The scorer of a model that may be rolled out: where the candidate fails, the stable version scores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from pipeline.stages import DependencyError, Model
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from rollout.arms import Arm, with_version
from rollout.breaker import CandidateBreaker
from rollout.recorded import RecordedRequests


class VersionedScorer(Protocol):
    """Scores by the version that the query names, such as `TritonScorer`."""

    def model(self, query: Query) -> Model:
        """The model and version that `score` uses for this query."""
        ...

    async def score(
        self, query: Query, candidates: Candidates, timeout_s: float | None = None
    ) -> NDArray[np.float32]:
        """float32[n] within `timeout_s` seconds; raises `DependencyError` where there is no answer."""
        ...


class GuardedScorer:
    """A pipeline's Scorer around a `VersionedScorer`.

    A candidate that fails, is late, or returns NaN or infinite scores is replaced by the stable version
    within the same request. Also keeps recent requests, to compare versions on, and the scores of those that
    take part in a rollout.
    """

    def __init__(
        self,
        scorer: VersionedScorer,
        breaker: CandidateBreaker,
        recorded: RecordedRequests,
        candidate_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wraps `scorer`.

        Args:
            scorer: scores by the version that a query names.
            breaker: decides whether the candidate is called after failures.
            recorded: where recent requests are kept.
            candidate_timeout_s: longest wait for the candidate, seconds.
            clock: monotonic seconds.
        """
        self._scorer = scorer
        self._breaker = breaker
        self._recorded = recorded
        self._candidate_timeout_s = candidate_timeout_s
        self._clock = clock

    def model(self, query: Query) -> Model:
        """The model and the version that answered, or would answer."""
        ticket = query.rollout
        if ticket is None or not ticket.failure:
            return self._scorer.model(query)
        return self._scorer.model(with_version(query, ticket.model, ticket.stable))

    async def score(self, query: Query, candidates: Candidates) -> NDArray[np.float32]:
        """float32[n]; raises `DependencyError` where the stable version returns no scores either."""
        self._recorded.keep(query, candidates)
        ticket = query.rollout
        if ticket is None:
            return await self._scorer.score(query, candidates)
        began = self._clock()
        if ticket.arm == Arm.CANDIDATE:
            scores = await self._by_candidate(query, candidates, ticket)
        else:
            scores = await self._scorer.score(query, candidates)
        ticket.keep(candidates, scores, (self._clock() - began) * 1000.0)
        return scores

    async def _by_candidate(
        self, query: Query, candidates: Candidates, ticket: RolloutTicket
    ) -> NDArray[np.float32]:
        stable = with_version(query, ticket.model, ticket.stable)
        if ticket.failure or not self._breaker.allows(ticket.rollout_id):
            ticket.failure = ticket.failure or "it failed several times in a row and is not called for now"
            return await self._scorer.score(stable, candidates)
        ticket.begin_part()
        scores: NDArray[np.float32] | None = None
        failure = ""
        try:
            async with asyncio.timeout(self._candidate_timeout_s):
                scores = await self._scorer.score(query, candidates, self._candidate_timeout_s)
            if not np.isfinite(scores).all():
                failure = f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} scores are not finite"
                ticket.rejected.append(scores)
        except DependencyError as error:
            failure = str(error)
        except TimeoutError:
            failure = f"no answer within {self._candidate_timeout_s * 1000:.0f} ms"
        finally:
            if failure:
                ticket.failure = failure
            ticket.end_part()
        await ticket.parts_ended()
        if ticket.failure or scores is None:
            answer = await self._scorer.score(stable, candidates)
            if failure:
                # Not where the stable version does not answer either: that is no fault of the candidate,
                # which would stay paused when both are back.
                self._breaker.failed()
            return answer
        self._breaker.succeeded()
        return scores
