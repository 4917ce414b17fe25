"""Which arm of a rollout a shopper is in, and by which versions a request is answered therefore.

The candidate's group is the buckets [0, w), the baseline's the w last ones: both only grow as w rises, so
nobody changes sides, and up to 50 % they are the same size. Only these two groups are compared, since both
began at the same time; the rest of production is in neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.assignment import BUCKETS, bucket
from pipeline.candidates import Candidates
from rollout.record import Rollout


class Arm(StrEnum):
    """A side of a rollout."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"
    SHADOW = "shadow"
    """Answered by the stable version; the candidate scores a copy afterwards."""


def arm_of(rollout: Rollout, user_id: str) -> Arm | None:
    """The group a shopper is in while the rollout runs at its weight; None: in neither.

    Anonymous shoppers are in none, since nothing would keep them on their side; where the weight is whole
    the candidate answers them too.
    """
    weight = rollout.weight_bp
    if weight <= 0:
        return None
    if weight >= BUCKETS:
        return Arm.CANDIDATE
    if not user_id:
        return None
    at = bucket(rollout.id, user_id)
    if at < weight:
        return Arm.CANDIDATE
    return Arm.BASELINE if at >= max(weight, BUCKETS - weight) else None


class ScoredPart(NamedTuple):
    """Candidates scored in one call, and their scores float32[n]."""

    candidates: Candidates
    scores: NDArray[np.float32]


class RequestVersions(dict[str, str]):
    """Model → version for one request that takes part in a rollout; what `Query.model_versions` holds.

    The request is scored by one version: its parts are scored side by side, and where the candidate fails
    one of them, all are scored by the stable version instead, which this mapping names from then on.
    """

    __slots__ = ("_ended", "_open", "arm", "asked", "elapsed_ms", "failure", "parts", "rejected", "rollout")

    def __init__(self, versions: Mapping[str, str], rollout: Rollout, arm: Arm) -> None:
        """`versions`: those of the snapshot; the rollout's model is replaced as the arm demands."""
        super().__init__(versions)
        version = rollout.candidate if arm is Arm.CANDIDATE else rollout.stable
        self[rollout.model] = str(version)
        self.rollout = rollout
        self.arm = arm
        self.asked = False
        """Whether the candidate was asked at all."""
        self.failure = ""
        """Why the candidate did not answer; "" where it did, or was not to."""
        self.parts: list[ScoredPart] = []
        """What was scored, by the version that answered."""
        self.rejected: list[NDArray[np.float32]] = []
        """Scores of the candidate that are no numbers, and were not used."""
        self.elapsed_ms = 0.0
        """Milliseconds the slowest part took."""
        self._open = 0
        self._ended = asyncio.Event()

    def begin_part(self) -> None:
        """The candidate is asked for the scores of one part."""
        self.asked = True
        self._open += 1

    def end_part(self) -> None:
        """One part has its answer, or never will."""
        self._open -= 1
        if self._open == 0:
            self._ended.set()

    async def parts_ended(self) -> None:
        """Returns once the candidate has answered, or failed, every part that was begun."""
        if self._open:
            await self._ended.wait()

    def fall_back(self, failure: str) -> None:
        """The stable version answers in the candidate's place."""
        self.failure = failure
        self[self.rollout.model] = str(self.rollout.stable)

    def keep(self, candidates: Candidates, scores: NDArray[np.float32], elapsed_ms: float) -> None:
        """Remembers one part's scores, for the comparison of the arms."""
        self.parts.append(ScoredPart(candidates, scores))
        self.elapsed_ms = max(self.elapsed_ms, elapsed_ms)
