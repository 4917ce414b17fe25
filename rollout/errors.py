"""Errors of rollouts.

RolloutError
├── RolloutStoreError       the store of rollouts cannot be used, or contains what it should not
├── StatisticsError         serialised counts of an arm cannot be read
├── TransitionNotAllowed    the record does not allow a change
├── CandidateUnfit          the candidate must not score a shopper's request
└── PreparationDelayed      the candidate cannot be prepared at the moment
"""

from __future__ import annotations


class RolloutError(Exception):
    """Base of every error that this package raises on its own."""


class RolloutStoreError(RolloutError):
    """The store cannot be used, or contains what it should not; the message names the place."""


class StatisticsError(RolloutError, ValueError):
    """Serialised statistics cannot be read; the message gives the reason."""


class TransitionNotAllowed(RolloutError):
    """The record does not allow this change.

    Attributes:
        rollout: id of the rollout that prevents it; "" where there is none.
    """

    def __init__(self, message: str, rollout: str = "") -> None:
        """Creates the error; `rollout` as in the class."""
        super().__init__(message)
        self.rollout = rollout


class CandidateUnfit(RolloutError):
    """The candidate must not score a shopper's request; the message gives the reason."""


class PreparationDelayed(RolloutError):
    """Something needed to prepare the candidate is missing at the moment; worth another try."""
