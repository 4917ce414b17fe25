"""The settings of a scene. Every key has a default; times are milliseconds."""

from __future__ import annotations

from pydantic import BaseModel, Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from features.shop_fit.auto import AUTO
from pipeline.candidates import MAX_CHANNELS
from router.fusion.modulation_settings import MOST_CHANNELS, ModulationSettings
from router.fusion.quota import QuotaSettings
from router.page.settings import ExplorationSettings, ExposurePlansSettings
from router.scenes.ranking_settings import PrerankSettings, RankingSettings
from router.scenes.recall_settings import BackfillSettings, SceneChannel
from router.scenes.strict import STRICT
from router.scenes.time_settings import DeadlineSettings, QualitySettings
from state.page_cursor import MOST_SHOWN


class FeatureLogSwitch(BaseModel):
    """Whether a scene's answers are kept for learners."""

    model_config = STRICT

    enabled: bool = Field(
        default=False,
        description="Write each answer's items, scores and probabilities to the feature log.",
    )


class PageSettings(BaseModel):
    """How many items an answer holds."""

    model_config = STRICT

    default_size: int = Field(default=20, ge=1, le=100, description="Items where the caller names no number.")
    max_size: int = Field(
        default=100,
        ge=1,
        le=100,
        validate_default=True,
        description="Items at most; a larger number that is asked for is lowered to it.",
    )
    cursor_items: int = Field(
        default=400,
        ge=0,
        le=MOST_SHOWN,
        description="Items that pages which follow one another by cursor show in all; 0 = no cursors.",
    )

    @field_validator("max_size")
    @classmethod
    def _default_fits(cls, max_size: int, info: ValidationInfo) -> int:
        default_size = info.data.get("default_size")
        if default_size is not None and max_size < default_size:
            raise ValueError(f"must be at least default_size ({default_size}), got {max_size}")
        return max_size


class StateCartSettings(BaseModel):
    """The cart of a request that names none: what the shopper put into it and neither took out nor bought."""

    model_config = STRICT

    from_state_hours: float = Field(
        default=24.0,
        gt=0,
        le=8_760,
        description="Hours before the request within which an item was put into the cart, by the shopper's "
        "cart events.",
    )
    removed_hours: float = Field(
        default=24.0,
        ge=0,
        le=8_760,
        description="Hours for which an item that the shopper took out of the cart is not on the page, "
        "whether the cart is of the request or of the events; 0 = it may be shown at once.",
    )


class SceneSettings(BaseModel):
    """One scene: a placement on a page and how it is filled."""

    model_config = STRICT

    channels: dict[str, SceneChannel] = Field(
        default={"hot": SceneChannel()},
        description=f"Recall channels by name, at most {MAX_CHANNELS - 1}, the most informative first: an "
        "item recalled by several has the first one's score and trigger.",
    )
    needs: list[str] = Field(
        default=[],
        description="Channels without which the whole scene is left out, where the shop's data has nothing "
        "for them; it goes without any other.",
    )
    candidates: int = Field(default=300, ge=1, le=5000, description="Most candidates ranked.")
    oversample: float = Field(
        default=1.5,
        ge=1,
        le=10,
        description="Fusion hands the filters this many times `candidates`, so that they leave enough.",
    )
    fusion: dict[str, SerializeAsAny[BaseModel]] = Field(
        default={"quota": QuotaSettings()},
        description="The fusion that joins what the channels recalled: one name with its settings.",
    )
    modulation: ModulationSettings | None = Field(
        default=None,
        description="Moves the channels' shares, within bounds, by what shoppers do with their items; null = "
        "they stay. Needs `feature_log.enabled`, by which items are credited.",
    )
    filters: dict[str, SerializeAsAny[BaseModel]] = Field(
        default={}, description="Filters by name with their settings, in this order: cheap before dear."
    )
    backfill: BackfillSettings | None = Field(
        default=None, description="Fills a page that the filters leave short; null = it stays short."
    )
    prerank: PrerankSettings | None = Field(
        default=None,
        description="Narrows what the filters leave to the `candidates` that are ranked; null = the first in "
        "recall order are ranked.",
    )
    ranking: RankingSettings = Field(default=RankingSettings(), description="The model that scores.")
    rerank: dict[str, SerializeAsAny[BaseModel]] = Field(
        default={}, description="Rerankers by name with their settings, in this order."
    )
    page: PageSettings = Field(default=PageSettings(), description="Number of items in an answer.")
    cart: StateCartSettings | None = Field(
        default=None,
        description="Where a request names no cart, takes it from the shopper's cart events; null = it has "
        "none.",
    )
    exploration: ExplorationSettings | None = Field(
        default=None,
        description="Slots drawn at random in proportion to exp(score / temperature); null = none are.",
    )
    exposure_plans: ExposurePlansSettings = Field(
        default=ExposurePlansSettings(), description="What operators' exposure plans may cost a page."
    )
    feature_log: FeatureLogSwitch = Field(
        default=FeatureLogSwitch(), description="Whether answers are kept for learners."
    )
    deadline: DeadlineSettings = Field(default=DeadlineSettings(), description="Time an answer may take.")
    quality: QualitySettings | None = Field(
        default=QualitySettings(),
        description="Narrows requests while answers are slow; null = they keep their width and lose stages.",
    )

    @property
    def looks_at_context(self) -> bool:
        """Whether ranking lifts what fits the request's context."""
        return any(scorer.scorer == "context" for scorer in self.ranking.scorers.values())

    def shares(self) -> dict[str, float]:
        """Share by channel, of the enabled ones; ValueError where one is still `auto`."""
        return {name: float(channel.share) for name, channel in self.channels.items() if channel.enabled}

    @model_validator(mode="after")
    def _prerank_narrows(self) -> SceneSettings:
        if self.prerank is None:
            return self
        if self.prerank.candidates < self.candidates:
            raise ValueError(
                f"prerank.candidates ({self.prerank.candidates}) must be at least candidates"
                f" ({self.candidates}), to which prerank narrows them"
            )
        if not self.ranking.enabled:
            raise ValueError("prerank narrows what ranking scores, and ranking.enabled is false")
        time = self.deadline
        if time.recall_share + time.prerank_share + time.rerank_share > 1:
            raise ValueError(
                "deadline.recall_share, prerank_share and rerank_share must sum to at most 1 where there is a"
                f" prerank, got {time.recall_share} + {time.prerank_share} + {time.rerank_share}"
            )
        return self

    @model_validator(mode="after")
    def _modulation_is_credited(self) -> SceneSettings:
        if self.modulation is None:
            return self
        if not self.feature_log.enabled:
            raise ValueError("modulation needs feature_log.enabled, by which items are credited to channels")
        others = [name for name in self.modulation.bounds if name not in self.channels]
        if others:
            raise ValueError(
                f"modulation.bounds must name channels of the scene; {', '.join(others)} is none"
            )
        if sum(part.enabled and part.share != 0 for part in self.channels.values()) > MOST_CHANNELS:
            raise ValueError(f"modulation takes at most {MOST_CHANNELS} channels with a share")
        return self

    @model_validator(mode="after")
    def _needs_its_own_channels(self) -> SceneSettings:
        others = [name for name in self.needs if name not in self.channels]
        if others:
            raise ValueError(f"needs must name channels of the scene; {', '.join(others)} is none")
        return self

    @field_validator("fusion")
    @classmethod
    def _one_fusion(cls, fusion: dict[str, BaseModel]) -> dict[str, BaseModel]:
        if len(fusion) != 1:
            raise ValueError(
                f"one fusion is expected, got {', '.join(fusion) or 'none'}; null removes that of defaults"
            )
        return fusion

    @field_validator("channels")
    @classmethod
    def _something_to_recall(cls, channels: dict[str, SceneChannel]) -> dict[str, SceneChannel]:
        if not channels:
            raise ValueError("at least one channel is expected")
        if len(channels) >= MAX_CHANNELS:
            raise ValueError(f"at most {MAX_CHANNELS - 1} channels are expected, got {len(channels)}")
        shares = [channel.share for channel in channels.values() if channel.enabled]
        if sum(float(share) for share in shares if share != AUTO) <= 0:
            besides = f" beside {AUTO}" if AUTO in shares else ""
            raise ValueError(f"the channels' shares must sum to more than 0{besides}")
        return channels
