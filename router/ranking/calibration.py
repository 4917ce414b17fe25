"""Log-odds made those of what happened: a strictly increasing function, straight between its knots."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

FURTHEST = 15.0
"""Log-odds beyond ±this are cut to it where they become a probability."""


class Calibration(BaseModel):
    """Through the points (knots, values), and through (−15, −15) and (15, 15) at the ends.

    Without knots it changes nothing. It keeps every order within ±15, since both rise strictly.

    Example:
        >>> raised = Calibration(knots=(0.0, 2.0), values=(1.0, 2.0))
        >>> raised.of(np.array([-15.0, 1.0, 15.0], np.float32)).tolist()
        [-15.0, 1.5, 15.0]
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    knots: tuple[float, ...] = Field(default=(), description="Log-odds of a score, rising, within ±15.")
    values: tuple[float, ...] = Field(default=(), description="What they are made, rising, within ±15.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.knots) != len(self.values):
            raise ValueError(f"{len(self.knots)} knots with {len(self.values)} values")
        for name, points in (("knots", self.knots), ("values", self.values)):
            if any(second <= first for first, second in pairwise((-FURTHEST, *points, FURTHEST))):
                raise ValueError(f"{name} do not rise within ±{FURTHEST:.0f}")
        return self

    def of(self, log_odds: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n] of log-odds float32[n]; a NaN stays one."""
        if not self.knots:
            return log_odds
        ends = -FURTHEST, FURTHEST
        return np.interp(log_odds, (ends[0], *self.knots, ends[1]), (ends[0], *self.values, ends[1])).astype(
            np.float32
        )

    def shifted(self, by: float) -> Calibration:
        """That of log-odds which are all higher by `by`, into values which are so too; within ±15."""
        if not self.knots:
            return self
        moved = [(knot + by, value + by) for knot, value in zip(self.knots, self.values, strict=True)]
        inside = [point for point in moved if min(point) > -FURTHEST and max(point) < FURTHEST]
        return Calibration(
            knots=tuple(knot for knot, _ in inside), values=tuple(value for _, value in inside)
        )


AS_IT_IS = Calibration()
