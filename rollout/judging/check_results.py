"""The judge's results: checks, each with a verdict, and the verdict over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Verdict = Literal["pass", "fail", "inconclusive", "error"]
_GRAVEST_FIRST: tuple[Verdict, ...] = ("fail", "error", "inconclusive")


class Check(msgspec.Struct, frozen=True):
    """One comparison of the candidate with the baseline.

    Attributes:
        name: as in the settings ("errors", "latency", "ctr", …), and "scores" for scores that are not finite.
        verdict: fail: sure that a threshold is exceeded; pass: sure that none is; inconclusive: not sure
            yet; error: the counts cannot be compared.
        reason: a sentence for people.
        figures: what was compared, by name; finite, and absent where there is none.
        required: False: an inconclusive verdict does not hold the rollout.
    """

    name: str
    verdict: Verdict
    reason: str
    figures: dict[str, float] = {}
    required: bool = True


class CheckResults(msgspec.Struct, frozen=True):
    """The checks of one call of the judge, and the verdict over all of them.

    Any fail is a fail, else any error an error, else any inconclusive one that is required inconclusive, else
    a pass. Without any pass it is inconclusive.
    """

    verdict: Verdict
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> CheckResults:
        """The results with the verdict over these checks."""
        counted = {check.verdict for check in checks if check.verdict != "inconclusive" or check.required}
        for verdict in _GRAVEST_FIRST:
            if verdict in counted:
                return cls(verdict, tuple(checks))
        # Checks that only could not conclude have shown nothing.
        return cls("pass" if "pass" in counted else "inconclusive", tuple(checks))

    @property
    def reason(self) -> str:
        """Name and reason of every check that decided the verdict, in one line."""
        return "; ".join(
            f"{check.name}: {check.reason}"
            for check in self.checks
            if check.verdict == self.verdict and (check.required or check.verdict != "inconclusive")
        )
