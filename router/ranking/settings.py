"""Settings of the calls to Triton."""

from pydantic import BaseModel, ConfigDict, Field


class RankingSettings(BaseModel):
    """Where Triton is and how long its answers may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        default="127.0.0.1:8001",
        min_length=1,
        description="host:port of Triton's gRPC; a target such as dns:///triton:8001 spreads over a fleet.",
    )
    model: str = Field(default="bst", min_length=1, description="Model that scores candidates.")
    interest_model: str = Field(
        default="mind", min_length=1, description="Model that turns a history into interests."
    )
    score_timeout_ms: float = Field(
        default=200.0, gt=0, description="Longest wait for the scores of one request, milliseconds."
    )
    interests_timeout_ms: float = Field(
        default=100.0, gt=0, description="Longest wait for one shopper's interests, milliseconds."
    )
    reconnect_ms: int = Field(
        default=200,
        ge=10,
        description="Longest pause between two attempts to reach a Triton that is down, milliseconds.",
    )
