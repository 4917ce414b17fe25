"""Settings of the embedded Triton server and of the models it serves."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelSettings(BaseModel):
    """How the embedded server runs one model; every instance of every version is a process of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instances: int = Field(
        default=1, ge=1, le=64, description="Processes per version; each holds about 150 MB."
    )
    intra_op_threads: int = Field(
        default=1,
        ge=0,
        le=256,
        description="Threads inside one operator; 0 lets ONNX Runtime take every core.",
    )
    opened: Literal["at_start", "when_called"] = Field(
        default="at_start",
        description="When a process of the embedded server opens its graph. when_called: by its first call, "
        "which waits for it; at the start the graph is checked in a process that ends. It is how models of "
        "router.ranking.in_replica are run that are not named here: nobody calls them as long as replicas "
        "can open their graphs.",
    )
    accelerator: Literal["none", "tensorrt"] = Field(
        default="none",
        description="tensorrt: on a GPU, NVIDIA's container has ONNX Runtime compute with TensorRT; the "
        "first call of each size takes minutes. The embedded server and CPUs take no notice of it.",
    )


class TritonSettings(BaseModel):
    """The embedded Triton server. It listens on 127.0.0.1 only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grpc_port: int = Field(default=0, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    http_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="HTTP port, which nothing here needs; 0 takes a free one, null = none.",
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Prometheus port; 0 takes a free one, null = none."
    )
    traces_url: str = Field(
        default="",
        description="OTLP/HTTP address to which spans of inferences go, for example "
        "http://127.0.0.1:4318/v1/traces; empty = none. Every request the router samples has one.",
    )
    models: dict[str, ModelSettings] = Field(
        default_factory=dict,
        description="How single models are run, by name; those not named run by the defaults. The server "
        "loads these and every model that the published snapshot names.",
    )
    start_timeout_s: float = Field(default=60.0, gt=0, description="Seconds until every model must be ready.")
    stop_timeout_s: float = Field(default=15.0, gt=0, description="Seconds between SIGTERM and SIGKILL.")
    load_timeout_s: float = Field(default=60.0, gt=0, description="Seconds loading a new version may take.")
    restart_initial_s: float = Field(
        default=0.2, gt=0, description="Seconds before a dead server is restarted."
    )
    restart_max_s: float = Field(
        default=10.0,
        gt=0,
        description="Longest pause in seconds between two restarts; it doubles up to this.",
    )
    steady_after_s: float = Field(
        default=30.0, gt=0, description="Seconds a restarted server must live for the pause to start over."
    )
    health_interval_s: float = Field(
        default=1.0, gt=0, description="Seconds between two looks at a running server's health."
    )
    health_timeout_s: float = Field(
        default=2.0, gt=0, description="Seconds a server may take to answer a look at its health."
    )
    health_failures: int = Field(
        default=3, ge=1, description="Bad looks in a row after which something is done about it."
    )
    keep_versions: int = Field(default=4, ge=2, description="Versions of a model kept on disk.")
    log_verbosity: int = Field(default=0, ge=0, le=9, description="Triton's --log-verbose.")

    def of_model(self, model: str) -> ModelSettings:
        """How `model` is run: as configured, or by default where nothing is."""
        return self.models.get(model, ModelSettings())
