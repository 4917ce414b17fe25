"""The settings of a scene's recall. Every key has a default; times are milliseconds."""

from __future__ import annotations

from pydantic import BaseModel, Field

from features.shop_fit.auto import ShareOrAuto
from router.scenes.strict import STRICT


class SceneChannel(BaseModel):
    """A recall channel's part in a scene."""

    model_config = STRICT

    share: ShareOrAuto = Field(
        default=1.0,
        description="Weight relative to the other channels' shares, as the scene's fusion takes it: part of "
        "the candidates (quota), or weight of a rank (reciprocal_rank), at least 0. 0: only where the "
        "others have nothing left. auto, of `again` alone: by how much of what shoppers take repeats.",
    )
    enabled: bool = Field(default=True, description="false: the scene goes without the channel.")
    k: int = Field(default=200, ge=1, le=5000, description="Most items recalled.")
    timeout_ms: float = Field(
        default=50.0,
        gt=0,
        le=10_000,
        description="Milliseconds after which the channel is not waited for and is named in `degraded`; "
        "sooner where the request has less time left.",
    )


class BackfillSettings(BaseModel):
    """The channel that recalls more where the filters leave less than a page."""

    model_config = STRICT

    channel: str = Field(default="hot", description="The channel; need not be one of the scene's channels.")
    limit: int = Field(default=2000, ge=1, le=100_000, description="Most items it ever recalls.")
