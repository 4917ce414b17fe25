"""Settings of the build's work on many machines."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JobSettings(BaseModel):
    """Where the build computes what can be computed in parts; by default in its own process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        "",
        description="Ray cluster whose nodes share the workspace's folder and the shop's files under the "
        "same paths: host:port of its head, for a build on one of its nodes; local = a Ray of its own on "
        "this machine; empty = no Ray.",
    )
    parts: int = Field(
        0, ge=0, description="Parts that each job is divided into; 0 = three for each CPU of the cluster."
    )
    cpus_per_part: float = Field(1.0, gt=0, description="Ray CPUs that a part reserves while it is computed.")
    memory_per_part: int = Field(
        0, ge=0, description="Bytes of memory that a part reserves on its node; 0 = none reserved."
    )
    training_workers: int = Field(
        1,
        ge=1,
        description="Workers that share every batch of the training of bst and mind, by Ray Train, at most; "
        "1 = the build's own processes train. More than 1 needs the extra `training` and pays on several "
        "machines only.",
    )
    attempts: int = Field(
        4,
        ge=1,
        description="How often a part, or a training, is begun where the node or process that computes it is "
        "lost.",
    )
    node_wait_s: float = Field(
        300.0,
        gt=0,
        description="Seconds for which a job waits for a node where none is left that could compute a part.",
    )
