"""What the checks of one judgement share."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from rollout.judge_settings import CheckSettings
from rollout.judgement import Check, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What every check of one judgement shares; pairs are of candidate and baseline.

    alpha  chance of a wrong verdict of each kind that one check may take
    """

    alpha: float
    min_requests: int
    requests: tuple[int, int]
    min_users: int
    users: tuple[int, int]

    def too_few_users(self) -> str | None:
        """Why no verdict at all is possible yet; None where one is.

        A handful of shoppers may all be odd ones, and the spread between shoppers, which tells how odd, is
        not known from them.
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
    judged: Judged,
) -> Check:
    """The check; a pass on fewer requests than are asked for is none yet."""
    check = Check(name, verdict, reason, figures, settings.required)
    few = judged.too_few_requests()
    if verdict != "pass" or few is None:
        return check
    return msgspec.structs.replace(check, verdict="inconclusive", reason=f"{few}; {reason}")


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]:,} and {numbers[1]:,}"
