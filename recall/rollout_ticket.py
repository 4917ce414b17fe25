"""What a rollout adds to one query: its arm, the versions compared, and what scoring by them came to.

`rollout/` makes a ticket for each query that takes part in a rollout and reads it again when the answer is
counted; recall, fusion and filters do not use it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates


class ScoredPart(NamedTuple):
    """Candidates scored in one call, and their scores float32[n]."""

    candidates: Candidates
    scores: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class RolloutTicket:
    """One query's part in a rollout. The outcome fields change while the query is scored.

    A query is answered by one version: its parts are scored concurrently, and where the candidate version
    fails one of them, all are scored by the stable version instead. Belongs to one event loop.
    """

    rollout_id: str
    arm: str
    """"candidate", "baseline" or "shadow" (answered by the stable version, scored again by the candidate)."""
    model: str
    stable: int
    candidate: int
    stage: int
    """The stage under which the answer is counted."""
    has_baseline: bool
    """Whether a baseline group is answered at the same time; False where the candidate answers everybody."""
    candidate_called: bool = False
    failure: str = ""
    """Why the stable version answered in the candidate's place; "" where it did not."""
    parts: list[ScoredPart] = field(default_factory=list)
    """What was scored, by the version that answered."""
    rejected: list[NDArray[np.float32]] = field(default_factory=list)
    """Scores of the candidate that contain NaN or infinity, and were not used."""
    elapsed_ms: float = 0.0
    """Milliseconds the slowest part took."""
    _open_parts: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def begin_part(self) -> None:
        """Notes that the candidate is called for the scores of one part."""
        self.candidate_called = True
        self._open_parts += 1

    def end_part(self) -> None:
        """Notes that the call for one part has ended, with or without scores."""
        self._open_parts -= 1
        if self._open_parts == 0:
            self._ended.set()

    async def parts_ended(self) -> None:
        """Returns once every call that was begun has ended."""
        if self._open_parts:
            await self._ended.wait()

    def keep(self, candidates: Candidates, scores: NDArray[np.float32], elapsed_ms: float) -> None:
        """Remembers one part's scores, float32[n], for the comparison of the arms."""
        self.parts.append(ScoredPart(candidates, scores))
        self.elapsed_ms = max(self.elapsed_ms, elapsed_ms)
