"""The settings of a scene. Every key has a default; times are milliseconds."""

from __future__ import annotations

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from features.shop_fit.auto import AUTO, ShareOrAuto
from pipeline.candidates import MAX_CHANNELS
from router.fusion.quota import QuotaSettings
from router.page.settings import ExplorationSettings, ExposurePlansSettings
from state.page_cursor import MOST_SHOWN

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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
        description="Milliseconds after which the channel is not waited for, within what the request has "
        "nothing left.",
    )


class BackfillSettings(BaseModel):
    """The channel that recalls more where the filters leave less than a page."""

    model_config = STRICT

    channel: str = Field(default="hot", description="The channel; need not be one of the scene's channels.")
    limit: int = Field(default=2000, ge=1, le=100_000, description="Most items it ever recalls.")


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
        description="Items at most; a larger wish is coerced.",
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


class DeadlineSettings(BaseModel):
    """The time an answer may take and how it is divided among the stages."""

    model_config = STRICT

    budget_ms: float = Field(
        default=300.0,
        gt=0,
        le=10_000,
        description="Milliseconds that are worked on an answer where the caller sets no limit; when the "
        "router is full, a call may wait before them.",
    )
    reserve_ms: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Milliseconds kept back for encoding the answer and its way home; at most half of the "
        "time.",
    )
    recall_share: float = Field(
        default=0.5, gt=0, le=1, description="Part of the time after which no channel is waited for."
    )
    prerank_share: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Part of the time, after recall's, within which candidates are narrowed by prerank.",
    )
    rerank_share: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the time kept for arranging the page after ranking."
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> DeadlineSettings:
        if self.recall_share + self.rerank_share > 1:
            raise ValueError(
                "recall_share and rerank_share must sum to at most 1, got "
                f"{self.recall_share} + {self.rerank_share}"
            )
        return self


class StateCartSettings(BaseModel):
    """The cart of a request that names none: what the shopper put into it and has not bought since."""

    model_config = STRICT

    from_state_hours: float = Field(
        default=24.0,
        gt=0,
        le=8_760,
        description="Hours before the request within which an item was put into the cart, by the shopper's "
        "cart events.",
    )


class QualitySettings(BaseModel):
    """How a scene narrows while it is slow, so that stages are not cut off at their deadlines.

    A factor moves up by `step` after an answer within the target, and down by step x percentile /
    (100 - percentile) after a later one. Requests are given that part of `k` and of candidates, in `levels`.
    """

    model_config = STRICT

    target_ms: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Milliseconds from arrival to page at which the percentile settles; null = half of "
        "deadline.budget_ms.",
    )
    percentile: float = Field(
        default=95.0, gt=0, lt=100, description="Percentile of latency held at the target, 0 to 100."
    )
    step: float = Field(
        default=0.002, gt=0, le=0.1, description="What one answer within the target widens requests by."
    )
    minimum: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Least part of its width, 0 to 1, that a request is given; never less than a page.",
    )
    levels: int = Field(
        default=4,
        ge=2,
        le=100,
        description="Number of widths, from 1 to `minimum` in equal parts. Few, so that replicas give the "
        "same page for the same request.",
    )
    recover_s: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Seconds after a slow answer at which requests have their full width again if no other "
        "slow one follows, however few are answered.",
    )
    widen_every_s: float = Field(
        default=15.0,
        gt=0,
        le=3_600,
        description="Seconds between the moments at which requests may become wider, by one level: multiples "
        "of it since 1970, so that all replicas widen together.",
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
