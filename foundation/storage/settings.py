"""How a Redis or Valkey server is used."""

from pydantic import BaseModel, ConfigDict, Field


class RedisSettings(BaseModel):
    """Section `state.redis`: how a Redis or Valkey server is used where `state.url` names one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = Field(
        default="shopfront",
        pattern=r"^[^{}\s]+$",
        description="Beginning of every key, in braces: the hash tag of one shop's state.",
    )
    max_connections: int = Field(
        default=32, ge=1, description="Connections for reads per process; further reads wait for one."
    )
    connect_timeout_s: float = Field(default=0.5, gt=0, description="Seconds to open a connection.")
    read_timeout_s: float = Field(
        default=0.1,
        gt=0,
        description="Seconds a request waits for its shopper's state, a connection included; then it is "
        "answered as one never seen, with `state` in `degraded`.",
    )
    read_pause_s: float = Field(
        default=0.25,
        ge=0,
        description="Seconds for which reads are refused at once after three in a row went unanswered.",
    )
    write_timeout_s: float = Field(
        default=1.0, gt=0, description="Seconds to wait for a write, its flush to disk included, per try."
    )
    write_tries: int = Field(
        default=5,
        ge=1,
        description="Tries of a write that the server did not answer, with rising pauses of 0.1 s to 0.5 s "
        "between them; after the last the events are refused.",
    )
    replicas: int = Field(
        default=0,
        ge=0,
        description="Replicas that must have a group of events before it is acknowledged (WAIT); 0 = none.",
    )
    max_group_events: int = Field(
        default=1_000,
        ge=1,
        description="Events written by one script; the server does nothing else meanwhile.",
    )
    rewrite_wait_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds in which the server must have rewritten its append-only file, and its dump, "
        "after shoppers were deleted; else the answer says that this is pending.",
    )
