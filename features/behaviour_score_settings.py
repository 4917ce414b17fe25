"""Settings of the behaviour scores."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CountScores(_Section):
    """Scores of a user–item pair by its number of events of one type.

    `scores[i]` applies from `counts[i]` events on.
    """

    counts: tuple[int, ...] = Field(description="Ascending numbers of events, starting at 1.")
    scores: tuple[float, ...] = Field(description="Score from each number of events on, one per count.")

    @model_validator(mode="after")
    def _steps(self) -> CountScores:
        if len(self.counts) != len(self.scores) or not self.counts or self.counts[0] != 1:
            raise ValueError("counts must start at 1 and have one score each")
        if list(self.counts) != sorted(set(self.counts)):
            raise ValueError(f"counts must ascend, they are {self.counts}")
        return self


class BehaviourScoreSettings(_Section):
    """Estimated interest of a user in an item, 0…5, by the kind and number of the user's events on it."""

    view: CountScores = CountScores(counts=(1, 2, 3, 4, 6), scores=(2.52, 2.9, 3.1, 3.2, 3.3))
    favorite: CountScores = Field(
        default=CountScores(counts=(1, 2), scores=(3.6, 3.7)),
        description="Between repeated views and a cart: an explicit wish, but no step towards buying.",
    )
    cart: CountScores = CountScores(counts=(1, 2, 3), scores=(3.9, 4.1, 4.2))
    purchase: CountScores = CountScores(counts=(1, 2, 3), scores=(4.7, 4.9, 5.0))
