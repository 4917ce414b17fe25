"""The registered scorer that is a model on Triton."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.ranker_inputs import reads_ranker_inputs
from models.registry import MODELS
from router.ranking.model_scorer import SCORE, ModelColumn, ModelScorer
from router.ranking.scorer_kind import ScorerContext, ScorerKind


class TritonModelSettings(BaseModel):
    """Scores by a model on Triton that reads histories and items, such as `bst`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = Field(
        default=None, min_length=1, description="Model on Triton; null = the scene's ranking.model."
    )


def live_model(context: ScorerContext, settings: TritonModelSettings, *, ranker_inputs: bool) -> ModelScorer:
    """The scorer of the model that the settings, or else the scene, name.

    Raises ValueError where it is not one of those that may score, or reads the inputs of the last layer and
    `ranker_inputs` is false, or the other way round.
    """
    model = settings.model or context.model
    if model not in context.models:
        raise ValueError(
            f"the model {model} is not live; live are {', '.join(sorted(context.models)) or 'none'}"
        )
    if model in MODELS and reads_ranker_inputs(MODELS[model].tensors) != ranker_inputs:
        raise ValueError(
            f"the model {model} is scored by the scorer {'triton' if ranker_inputs else 'ranker'}"
        )
    return context.models[model]


def open_scorer(context: ScorerContext, settings: TritonModelSettings) -> ModelColumn:
    """The model's scorer. Raises ValueError where the model is not one of those that may score."""
    return ModelColumn(live_model(context, settings, ranker_inputs=False))


SCORER = ScorerKind(TritonModelSettings, open_scorer, columns=(SCORE,), splits=True)
