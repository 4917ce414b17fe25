"""Settings of the ways into the router and of the processes behind them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

IngressKind = Literal["haproxy", "grpc"]


class IngressSettings(BaseModel):
    """Where and how calls come in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: IngressKind = Field(
        "haproxy",
        description="haproxy: HAProxy and Ray Serve receive calls, retry and drain. grpc: each replica runs "
        "its own gRPC server on the shared port: higher throughput, and the caller's gRPC deadline is seen.",
    )
    address: str = Field("127.0.0.1:9000", description="host:port to call; port 0 takes a free one.")
    replicas: int = Field(2, ge=1, description="Processes that answer; two outlive the death of one.")
    drain_s: float = Field(
        5.0,
        gt=0,
        description="Longest time in seconds that calls in progress may take while a replica stops.",
    )
    deregister_s: float = Field(
        0.5, ge=0, description="Seconds a stopping replica still accepts calls, while HAProxy forgets it."
    )
    health_check_period_s: float = Field(
        1.0, gt=0, description="Seconds between two looks of Ray Serve at a replica and at the proxy."
    )
    start_timeout_s: float = Field(120.0, gt=0, description="Seconds within which the router must be ready.")

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        split_address(address)
        return address


class RaySettings(BaseModel):
    """The Ray node or cluster the replicas run on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        "",
        description="Ray cluster to deploy to, started with the environment router.ingress.ray_environment "
        "gives; empty = start a local node and stop it with the router.",
    )
    auth_mode: Literal["disabled", "token"] = Field(
        "disabled",
        description="RAY_AUTH_MODE of a local node. token writes ~/.ray/auth_token. Ray listens on all "
        "interfaces either way: firewall its ports.",
    )
    object_store_bytes: int = Field(
        100 * 2**20, ge=76 * 2**20, description="Bytes of Ray's object store, which the router barely uses."
    )
    cpus_per_replica: float = Field(
        0.1, gt=0, description="CPUs Ray reserves per replica; bookkeeping only, it caps nothing."
    )


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; ValueError where it is none."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{address!r} is no host:port, for example 127.0.0.1:9000")
    return host, int(port)
