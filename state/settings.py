"""Settings of the user state and the event log."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from foundation.storage.settings import RedisSettings

MIB = 1 << 20


class StateSettings(BaseModel):
    """Section `state` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        default="lmdb://build/sample/state",
        description="Where state lives: lmdb:///absolute/folder, or lmdb://folder below the working folder; "
        "redis://host:port/database, rediss:// (TLS) or unix:///path for a Redis or Valkey server.",
    )
    max_behaviours: int = Field(
        default=200, ge=1, le=65_535, description="Views, favourites, carts and purchases kept per user."
    )
    max_purchases: int = Field(default=2_000, ge=1, le=65_535, description="Purchases kept per user.")
    max_cart_changes: int = Field(
        default=400,
        ge=1,
        le=65_535,
        description="Events kept per user that put something into the cart or take it out.",
    )
    max_impressions: int = Field(default=500, ge=1, le=65_535, description="Impressions kept per user.")
    max_seen: int = Field(
        default=600,
        ge=1,
        le=65_535,
        description="Items kept per user that the client reported as seen, with the scene and time; of more, "
        "the oldest quarter leaves at once, so that the visits since can be counted.",
    )
    max_feedback: int = Field(
        default=1_000,
        ge=1,
        le=65_535,
        description="Item feedback (not interested, seen too often, owned) kept per user.",
    )
    max_surveys: int = Field(
        default=50, ge=10, le=65_535, description="Ratings and questions for them kept per user."
    )
    deduplication_days: int = Field(
        default=3,
        ge=1,
        le=60,
        description="Days for which a repeated event_id of a user is recognised; a look-up costs a read per "
        "day.",
    )
    max_queued_events: int = Field(
        default=20_000,
        ge=1_000,
        description="Events waiting to be written; above it calls are refused with a time to retry.",
    )
    max_group_events: int = Field(
        default=5_000, ge=1, description="Events written by one transaction and one fsync."
    )
    retry_after_s: float = Field(
        default=0.5, gt=0, description="Seconds a caller is asked to wait when the queue is full."
    )
    max_queued_impressions: int = Field(
        default=100_000,
        ge=1,
        description="Served items waiting to be noted; above it they are dropped and counted.",
    )
    impressions_flush_s: float = Field(
        default=0.25,
        gt=0,
        description="Longest time in seconds that served items wait before they are written.",
    )
    log_max_events: int = Field(default=20_000_000, ge=1, description="Events kept in the event log.")
    log_max_days: float = Field(
        default=90.0, gt=0, description="Days, counted from arrival, the event log keeps."
    )
    map_initial_bytes: int = Field(
        default=256 * MIB, ge=MIB, description="First size of the LMDB map in bytes; it doubles when full."
    )
    map_max_bytes: int = Field(
        default=65_536 * MIB, ge=MIB, description="Size in bytes above which the LMDB map does not grow."
    )
    max_readers: int = Field(
        default=254,
        ge=1,
        description="Read transactions at one time, all processes on the environment together.",
    )
    sync: bool = Field(
        default=True,
        description="Flush to disk before an event is acknowledged. Without it a power cut loses "
        "acknowledged events and can damage the environment: for load tests only.",
    )

    redis: RedisSettings = RedisSettings()

    @model_validator(mode="after")
    def _map_sizes_agree(self) -> "StateSettings":
        if self.map_initial_bytes > self.map_max_bytes:
            raise ValueError(
                f"map_initial_bytes ({self.map_initial_bytes}) is above map_max_bytes ({self.map_max_bytes})"
            )
        return self
