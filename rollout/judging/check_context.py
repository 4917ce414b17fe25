"""What the checks of one call of the judge share."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from rollout.judging.check_results import Check, Verdict
from rollout.judging.settings import CheckSettings


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What the checks of one call of the judge share; pairs are (candidate, baseline).

    Attributes:
        alpha: chance of a wrong verdict of each kind that one check may take.
        min_requests: in each arm, below which no check passes.
        requests: of each arm.
        min_users: shoppers in each arm, below which there is no verdict.
        users: distinct shoppers of each arm.
    """

    alpha: float
    min_requests: int
    requests: tuple[int, int]
    min_users: int
    users: tuple[int, int]

    def too_few_users(self) -> str | None:
        """Why no verdict is possible yet; None where one is.

        A few shoppers may all be unusual, and the variance between shoppers cannot be estimated from them.
        """
        if min(self.users) >= self.min_users:
            return None
        return f"{_pair(self.users)} shoppers in candidate and baseline; {self.min_users} are needed in each"

    def too_few_requests(self) -> str | None:
        """Why a pass is not possible yet; None where it is."""
        if min(self.requests) >= self.min_requests:
            return None
        return (
            f"{_pair(self.requests)} requests in candidate and baseline; {self.min_requests:,} are needed in "
            "each"
        )


def concluded(
    name: str,
    verdict: Verdict,
    reason: str,
    figures: dict[str, float],
    settings: CheckSettings,
    context: CheckContext,
) -> Check:
    """The check with its verdict; "pass" on fewer requests than required becomes "inconclusive"."""
    check = Check(name, verdict, reason, figures, settings.required)
    few = context.too_few_requests()
    if verdict != "pass" or few is None:
        return check
    return msgspec.structs.replace(check, verdict="inconclusive", reason=f"{few}; {reason}")


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]:,} and {numbers[1]:,}"
