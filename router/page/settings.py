"""Settings of the pages that several scenes make together."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from router.page.no_repeats import NoRepeatsSettings


class PageArrangementSettings(BaseModel):
    """The top-level key `page` of the scene configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rerank: dict[str, SerializeAsAny[BaseModel]] = Field(
        default={"no_repeats": NoRepeatsSettings()},
        description="Page rerankers by name with their settings, in this order, for answers of several "
        "scenes. no_repeats always comes last, named or not: no item appears twice on a page.",
    )


class ExplorationSettings(BaseModel):
    """Slots that are drawn at random, so that a learner sees how other items would have done."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    share: float = Field(
        default=0.05, gt=0, le=1, description="Part of the slots that are drawn, 0 to 1, each by itself."
    )
    temperature: float = Field(
        default=0.1,
        gt=0,
        description="In units of the score: an item whose score is lower by this much is drawn 1/e as often.",
    )


class ExposurePlansSettings(BaseModel):
    """What operators' exposure plans may cost a scene's page."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    max_loss: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Part of a page's summed score, 0 to 1, that pace and guarantees may cost it; 0 = only "
        "what costs nothing. A cap that is used up takes its items off whatever they are worth.",
    )
