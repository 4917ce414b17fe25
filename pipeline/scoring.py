"""Scoring candidates in parts side by side, and the one order that comes of what arrived in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Candidates, Float32
from pipeline.contracts import check_columns
from pipeline.deadlines import run_until
from pipeline.guard import LATE, Outage, attempt
from pipeline.stages import ContractError, Scorer, StageBug
from pipeline.trace import Clock, Outcome

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class Split:
    """Into how many parts candidates are dealt to be scored side by side.

    part_size  most candidates of one part, as far as `max_parts` allows; 0: all in one
    max_parts  most parts
    """

    part_size: int = 0
    max_parts: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError where a number is out of range."""
        if self.part_size < 0 or self.max_parts < 1:
            raise ValueError(
                "part_size must not be negative and max_parts at least 1, got "
                f"{self.part_size} and {self.max_parts}"
            )

    def parts(self, count: int) -> int:
        """Number of parts of `count` candidates (above 0), their sizes one apart at most."""
        return min(-(-count // self.part_size), self.max_parts) if self.part_size else 1


WHOLE = Split()


class Scores(NamedTuple):
    """What came of scoring n candidates.

    columns  float32[n] by name, NaN where not scored, and where the scorer gave NaN; the first one orders
    scored   bool[n], False where a candidate's part was lost
    parts    number of parts
    outages  why parts were lost, by part (0…parts−1); candidate i was in part i mod parts
    """

    columns: Mapping[str, Float32]
    scored: npt.NDArray[np.bool_]
    parts: int
    outages: dict[int, Outage]

    @property
    def values(self) -> Float32:
        """The first column float32[n]."""
        return next(iter(self.columns.values()))

    @property
    def lost(self) -> bool:
        """Whether no part was scored."""
        return len(self.outages) == self.parts

    def order(self) -> npt.NDArray[np.intp]:
        """Positions intp[n], best first, as `order_of` gives them."""
        return (
            np.argsort(-self.values, kind="stable")
            if not self.outages
            else order_of(self.values, self.scored)
        )

    @property
    def outcome(self) -> Outcome:
        """One of: "ok"; "partial" where parts were lost; where all were, "timeout" or "failed"."""
        if not self.outages:
            return "ok"
        if not self.lost:
            return "partial"
        late = any(outage.outcome == "timeout" for outage in self.outages.values())
        return "timeout" if late else "failed"

    @property
    def detail(self) -> str:
        """Which parts were lost and why, and how many scores are NaN."""
        parts = []
        if self.parts == 1:
            parts += [outage.detail for outage in self.outages.values()]
        elif self.outages:
            missing = self.scored.size - int(np.count_nonzero(self.scored))
            parts.append(f"{missing} of {self.scored.size} candidates not scored")
            parts += [
                f"part {part + 1} of {self.parts}: {outage.detail}" for part, outage in self.outages.items()
            ]
        known = self.values[self.scored] if self.outages else self.values
        if nan := int(np.count_nonzero(np.isnan(known))):
            parts.append(f"{nan} scores NaN")
        return "; ".join(parts)


async def score_in_parts(
    stage: str,
    scorer: Scorer[Q],
    split: Split,
    query: Q,
    candidates: Candidates,
    until: float,
    clock: Clock,
    names: tuple[str, ...] = (),
    waits: bool = True,
) -> Scores:
    """Scores of n candidates (n above 0) by the point in time `until` (seconds on `clock`).

    names: of the columns that the scorer must give, in their order; empty: any. waits: whether the scorer may
    wait; one that never does is never late.

    Candidates are dealt to the parts in turn, so that a part that fails or is late is lost alone and leaves
    gaps at every depth. Raises `StageBug` of `stage` where one part ends in a bug; the others are cancelled.
    """
    count = len(candidates)
    parts = split.parts(count)
    dealt = [candidates] if parts == 1 else [candidates.take(slice(i, None, parts)) for i in range(parts)]
    calls = [attempt(stage, partial(_score, scorer, query, part, names)) for part in dealt]
    tasks = await run_until(calls, [until] * parts, clock, [waits] * parts)
    answers = [LATE if task is None else task.result() for task in tasks]
    outages = {part: answer for part, answer in enumerate(answers) if isinstance(answer, Outage)}
    if parts == 1 and not isinstance(answers[0], Outage):
        return Scores(answers[0], np.ones(count, np.bool_), 1, outages)
    columns: dict[str, Float32] = {}
    scored = np.zeros(count, np.bool_)
    for part, answer in enumerate(answers):
        if isinstance(answer, Outage):
            continue
        if not columns:
            columns = {name: np.full(count, np.nan, np.float32) for name in answer}
        elif answer.keys() != columns.keys():
            differing = f"{', '.join(columns)} and {', '.join(answer)}"
            raise StageBug(stage, ContractError(f"the columns of two parts differ: {differing}"))
        for name, values in answer.items():
            columns[name][part::parts] = values
        scored[part::parts] = True
    return Scores(columns or {"score": np.full(count, np.nan, np.float32)}, scored, parts, outages)


def order_of(values: Float32, scored: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Positions intp[n], best first; a candidate that was not scored keeps the position it came in.

    The scored ones fill the other positions by their value float32[n], ties as they came, NaN behind every
    number. Argued in docs/decisions/split_scoring.md.
    """
    order = np.arange(values.size)
    (positions,) = np.nonzero(scored)
    order[positions] = positions[np.argsort(-values[positions], kind="stable")]
    return order


async def _score(
    scorer: Scorer[Q], query: Q, candidates: Candidates, names: tuple[str, ...]
) -> Mapping[str, Float32]:
    columns = await scorer.score(query, candidates)
    check_columns(columns, len(candidates), names)
    return columns
