"""The scorer of a model that may be rolled out: a candidate's failure costs a shopper nothing but time."""

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
from rollout.arms import Arm, RequestVersions
from rollout.breaker import CandidateBreaker
from rollout.recorded import RecordedRequests


class VersionedScorer(Protocol):
    """Scores by the version that the query names, such as `TritonScorer`."""

    def model(self, query: Query) -> Model:
        """The model and version that `score` asks for this query."""
        ...

    async def score(
        self, query: Query, candidates: Candidates, timeout_s: float | None = None
    ) -> NDArray[np.float32]:
        """float32[n] within `timeout_s` seconds; raises `DependencyError` where there is no answer."""
        ...


class GuardedScorer:
    """A pipeline's Scorer around a `VersionedScorer`.

    A candidate that fails, is late, or answers what is no number is replaced by the stable version within
    the same request. Also remembers some requests, to compare versions on, and the scores of those that
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
        """`candidate_timeout_s`: longest wait for the candidate, seconds; `clock`: monotonic seconds."""
        self._scorer = scorer
        self._breaker = breaker
        self._recorded = recorded
        self._candidate_timeout_s = candidate_timeout_s
        self._clock = clock

    def model(self, query: Query) -> Model:
        """The model and the version that answered, or would."""
        return self._scorer.model(query)

    async def score(self, query: Query, candidates: Candidates) -> NDArray[np.float32]:
        """float32[n]; raises `DependencyError` where the stable version gives none either."""
        self._recorded.keep(query, candidates)
        versions = query.model_versions
        if not isinstance(versions, RequestVersions):
            return await self._scorer.score(query, candidates)
        began = self._clock()
        if versions.arm is Arm.CANDIDATE:
            scores = await self._by_candidate(query, candidates, versions)
        else:
            scores = await self._scorer.score(query, candidates)
        versions.keep(candidates, scores, (self._clock() - began) * 1000.0)
        return scores

    async def _by_candidate(
        self, query: Query, candidates: Candidates, versions: RequestVersions
    ) -> NDArray[np.float32]:
        if versions.failure or not self._breaker.allows(versions.rollout.id):
            versions.fall_back(
                versions.failure or "it failed several times in a row and is not asked for now"
            )
            return await self._scorer.score(query, candidates)
        versions.begin_part()
        scores: NDArray[np.float32] | None = None
        failure = ""
        try:
            async with asyncio.timeout(self._candidate_timeout_s):
                scores = await self._scorer.score(query, candidates, self._candidate_timeout_s)
            if not np.isfinite(scores).all():
                failure = f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} scores are no numbers"
                versions.rejected.append(scores)
        except DependencyError as error:
            failure = str(error)
        except TimeoutError:
            failure = f"no answer within {self._candidate_timeout_s * 1000:.0f} ms"
        finally:
            if failure:
                self._breaker.failed()
                versions.fall_back(failure)
            versions.end_part()
        await versions.parts_ended()
        if versions.failure or scores is None:
            return await self._scorer.score(query, candidates)
        self._breaker.succeeded()
        return scores
