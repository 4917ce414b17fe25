"""The registered scorer that is a model on Triton."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from router.ranking.model_scorer import SCORE, ModelColumn
from router.ranking.scorer_kind import ScorerContext, ScorerKind


class TritonModelSettings(BaseModel):
    """Which model scores."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = Field(
        default=None, min_length=1, description="Model on Triton; null = the scene's ranking.model."
    )


def open_scorer(context: ScorerContext, settings: TritonModelSettings) -> ModelColumn:
    """The model's scorer. Raises ValueError where the model is not one of those that may score."""
    model = settings.model or context.model
    if model not in context.models:
        raise ValueError(
            f"the model {model} is not live; live are {', '.join(sorted(context.models)) or 'none'}"
        )
    return ModelColumn(context.models[model])


SCORER = ScorerKind(TritonModelSettings, open_scorer, columns=(SCORE,), splits=True)
