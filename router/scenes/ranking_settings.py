"""The settings of a scene's ranking. Every key has a default; times are milliseconds."""

from __future__ import annotations

from pydantic import BaseModel, Field, SerializeAsAny

from router.scenes.strict import STRICT


class PrerankSettings(BaseModel):
    """The light model that narrows many candidates to those that are ranked."""

    model_config = STRICT

    candidates: int = Field(
        default=3000,
        ge=1,
        le=50_000,
        description="Most candidates it is given; not below the scene's `candidates`, to which it narrows "
        "them.",
    )
    model: str = Field(default="prerank", description="Model on Triton that scores them.")
    timeout_ms: float = Field(
        default=30.0,
        gt=0,
        le=10_000,
        description="Milliseconds after which the first in recall order are ranked, within what the request "
        "has left.",
    )


class SceneScorer(BaseModel):
    """A scorer of a scene; in the configuration, the keys of its own settings come beside these.

    settings  of the type that the registration of `scorer` names
    """

    model_config = STRICT

    scorer: str = Field(description="Registered scorer; by default the one of this entry's name.")
    timeout_ms: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Milliseconds after which the others order without it; null = ranking.timeout_ms.",
    )
    settings: SerializeAsAny[BaseModel]


class MergeChoice(BaseModel):
    """The merge of a scene's scorers: its registered name and its settings."""

    model_config = STRICT

    name: str
    settings: SerializeAsAny[BaseModel]


class RankingSettings(BaseModel):
    """The model that orders the candidates."""

    model_config = STRICT

    enabled: bool = Field(default=True, description="false: candidates stay in recall order.")
    model: str = Field(default="bst", description="Model on Triton that scores the candidates.")
    timeout_ms: float = Field(
        default=100.0,
        gt=0,
        le=10_000,
        description="Milliseconds after which recall order is used, within what the request has left.",
    )
    scorers: dict[str, SceneScorer] = Field(
        default={},
        description="Scorers by name with their settings; each scores all candidates, and `merge` makes one "
        "score of their columns. `triton` is the model above. {}: it alone scores.",
    )
    merge: MergeChoice | None = Field(
        default=None, description="How several scorers are merged, one name with its settings; null = first."
    )

    @property
    def names_model(self) -> bool:
        """Whether the model `model` scores."""
        return self.enabled and (
            not self.scorers or any(each.scorer == "triton" for each in self.scorers.values())
        )
