"""Settings of the stream from the event log to counters and samples."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from learning.stream.channel_settings import ChannelSettings
from state.live_counters.decay import TICK_S


class StreamSettings(BaseModel):
    """What is joined with what, and what is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    batch_events: int = Field(
        default=5_000, ge=1, le=100_000, description="Most events of the log that are read at once."
    )
    poll_s: float = Field(
        default=0.25, gt=0, le=60, description="Seconds between two looks at the log where nothing is new."
    )
    checkpoint_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds between two checkpoints: what is read again after the learner was killed.",
    )
    window_s: int = Field(
        default=1_800,
        ge=TICK_S,
        multiple_of=TICK_S,
        description="Seconds for which an impression waits for its click, cart and purchase, and a click for "
        "its impression; whole minutes.",
    )
    label_wait_s: int = Field(
        default=30,
        ge=1,
        description="Seconds after an impression at which a sample of it is made, with what has happened "
        "until then; not above window_s.",
    )
    most_behind_s: int = Field(
        default=900,
        ge=0,
        description="Seconds that an event may be older than its arrival; an older one is counted as late.",
    )
    most_pairs: int = Field(
        default=2_000_000,
        ge=1_000,
        description="Pairs of answer and item of one window that are kept, about 170 bytes each; further "
        "impressions are counted as pairs_full.",
    )
    answer_window_s: int = Field(
        default=3_600,
        ge=1,
        description="Seconds after an answer until which its impressions get what serving saw of it, from "
        "the feature log; later ones are counted as features_old.",
    )
    most_answers: int = Field(
        default=200_000,
        ge=1_000,
        description="Answers of the feature log that are kept for that, about 100 bytes each; further ones "
        "are counted as features_full.",
    )
    most_credited: int = Field(
        default=100_000,
        ge=1_000,
        description="Answers of scenes that move shares that are kept with what their items are due to, "
        "about 500 bytes each; further ones are counted as credits_full.",
    )
    channels: ChannelSettings = Field(
        default=ChannelSettings(), description="Click and purchase rates of recall channels."
    )
    shopper_impressions: int = Field(
        default=2_000,
        ge=1,
        description="Impressions of one shopper within an hour that count; further ones are a robot's.",
    )
    shopper_events: int = Field(
        default=200,
        ge=1,
        description="Views, favourites, carts and purchases of one shopper within an hour that count.",
    )

    @model_validator(mode="after")
    def _label_within_window(self) -> StreamSettings:
        if self.label_wait_s > self.window_s:
            raise ValueError(f"label_wait_s ({self.label_wait_s}) is above window_s ({self.window_s})")
        return self
