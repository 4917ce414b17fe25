"""Settings of the metrics endpoint."""

from pydantic import BaseModel, ConfigDict, Field


class MetricsSettings(BaseModel):
    """Section `metrics` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Count, and serve /metrics.")
    host: str = Field(
        default="127.0.0.1",
        description="Address /metrics listens on; 0.0.0.0 lets a Prometheus on another machine ask.",
    )
    port: int = Field(default=9108, ge=0, le=65_535, description="TCP port of /metrics; 0 takes a free one.")
    folder: str = Field(
        default="build/sample/metrics",
        description="Folder in which the processes of this machine keep their counts; on a RAM disk where "
        "there is one.",
    )
