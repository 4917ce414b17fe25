"""Settings of the calls to Triton."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class BreakerSettings(BaseModel):
    """When a model that no longer answers is not waited for any more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeouts: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Requests in a row whose calls of a model version went unanswered, after which further "
        "calls fail at once; 0: every call is waited for.",
    )
    window_s: float = Field(
        default=10.0, gt=0, description="Seconds within which their calls must have gone unanswered."
    )
    patience_ms: float = Field(
        default=25.0,
        ge=0,
        description="Milliseconds for which a call must have been waited for to count as unanswered; less "
        "than any stage's timeout.",
    )
    open_s: float = Field(
        default=1.0,
        gt=0,
        description="Seconds for which calls fail at once; then one at a time tries whether it is answered.",
    )


class InReplicaSettings(BaseModel):
    """Which graphs a replica runs itself instead of asking Triton."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = Field(
        default=None,
        description="Triton's folder of models, where this machine has it; null: every model is asked of "
        "Triton.",
    )
    models: tuple[str, ...] = Field(
        default=("mind",),
        max_length=32,
        description="Models that a replica runs itself, so that a call costs its graph alone: small ones, "
        "since other requests wait meanwhile. A graph that ends its process would end the replica, so a "
        "model under rollout is better left to Triton.",
    )
    largest_mib: int = Field(
        default=64,
        ge=1,
        le=65_536,
        description="Largest graph that a replica runs itself, MiB: each holds it in memory. Triton runs a "
        "larger one.",
    )


class SharedCallSettings(BaseModel):
    """When shoppers share a call of the model that scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shoppers: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Most shoppers of one call, where a replica's requests wait for each other; 1: every "
        "request calls at once.",
    )
    wait_ms: float = Field(
        default=5.0,
        ge=0,
        le=1_000,
        description="Longest wait of a request for the call under way, milliseconds; it then calls beside "
        "it.",
    )


class TritonClientSettings(BaseModel):
    """Where Triton is and how long its answers may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        default="127.0.0.1:8001",
        min_length=1,
        description="host:port of Triton's gRPC; a target such as dns:///triton:8001 spreads over a fleet.",
    )
    model: str = Field(default="bst", min_length=1, description="Model that scores candidates.")
    prerank_model: str = Field(
        default="prerank",
        min_length=1,
        description="Model that narrows candidates, in scenes that have a prerank stage.",
    )
    score_timeout_ms: float = Field(
        default=200.0, gt=0, description="Longest wait for the scores of one call, milliseconds."
    )
    interests_timeout_ms: float = Field(
        default=100.0,
        gt=0,
        description="Longest wait for a model that a recall channel calls, such as MIND's for a shopper's "
        "interests, milliseconds.",
    )
    answers_kept: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Answers of such a model kept by each replica and given again where the same is asked, "
        "such as a shopper's interests until the next event: about 2 kB each for MIND; 0: none.",
    )
    reconnect_ms: int = Field(
        default=200,
        ge=10,
        description="Longest pause between two attempts to reach a Triton that is down, milliseconds.",
    )
    part_size: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Candidates above which a request is scored by several calls at once, in equal parts of "
        "at most this many as far as `max_parts` allows; 0: always by one call. Worth it where the model has "
        "as many instances, each on a core of its own.",
    )
    max_parts: int = Field(default=4, ge=1, le=64, description="Most calls that score one request; no unit.")
    shared_calls: SharedCallSettings = Field(
        default_factory=SharedCallSettings,
        description="Calls for several shoppers. Each is scored as alone by the embedded server; of NVIDIA's "
        "container scores differ a little where the graph measures the range of its numbers per call, as "
        "dynamic INT8 does.",
    )
    in_replica: InReplicaSettings = Field(
        default_factory=InReplicaSettings, description="Graphs that a replica runs itself."
    )
    breaker: BreakerSettings = Field(
        default_factory=BreakerSettings, description="When a model that hangs is not waited for."
    )
