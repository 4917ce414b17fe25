"""Settings of the ingresses and of the processes behind them."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

IngressKind = Literal["haproxy", "grpc"]


class TlsSettings(BaseModel):
    """Encryption of the own gRPC ingress; renewed files apply without a restart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path = Field(
        description="PEM file of the server's certificate, then those of its issuers up to the root."
    )
    key: Path = Field(description="PEM file of the certificate's private key, without a passphrase.")
    client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities whose certificates callers must show (mutual TLS); null = "
        "callers show none.",
    )


class TokenSettings(BaseModel):
    """Bearer tokens callers send as metadata `authorization: Bearer <token>`; none set = none required."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = Field(
        None,
        description="File of the accepted tokens, one a line, # for comments; several during a rotation. An "
        "edit applies within a second.",
    )
    environment: str = Field(
        "", description="Environment variable with the accepted tokens, separated by commas; empty = none."
    )
    operators_file: Path | None = Field(
        None,
        description="File of operators' tokens, like `file`; they may call everything, and only they may "
        "call RolloutService, AdminService and PrivacyService. null, and no operators_environment: every "
        "caller may.",
    )
    operators_environment: str = Field(
        "",
        description="Environment variable with operators' tokens, separated by commas; empty = none.",
    )
    health_needs_one: bool = Field(
        False, description="Whether health checks need a token too; load balancers often cannot send one."
    )
    reflection_needs_one: bool = Field(
        True, description="Whether reflection needs a token too, where callers need one at all."
    )


class LimitSettings(BaseModel):
    """What one caller may use of the server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_bytes: int = Field(
        8 * 2**20,
        ge=1024,
        description="Largest request message in bytes, of methods without a limit of their own.",
    )
    streams_per_connection: int = Field(
        256,
        ge=1,
        description="Calls in progress on one connection with kind haproxy; further ones wait in the client.",
    )
    grpc_streams_per_connection: int = Field(
        2_048,
        ge=1,
        description="Calls that gRPC holds on one connection with kind grpc, with those that have ended and "
        "that a busy replica has not put away yet. It ends further ones UNAVAILABLE: set it well above what "
        "a caller starts at once. Each can hold 70 KiB where its caller pauses within its message.",
    )
    ping_interval_s: float = Field(
        10.0,
        ge=0,
        description="Least seconds between two keepalive pings of a caller; kind grpc ends connections that "
        "ping more often.",
    )
    handshake_s: float = Field(
        5.0,
        gt=0,
        description="Seconds within which a new connection must have been set up: TLS and HTTP/2 for kind "
        "grpc, the first request's headers for haproxy, which also ends calls whose caller pauses so long "
        "within its message. Others are closed, so that silent ones keep nobody out.",
    )
    connections: int = Field(
        16_384,
        ge=4,
        description="Connections open at once, in HAProxy or in all replicas of kind grpc together; fewer "
        "where a process may not open that many files (`ulimit -n`), and then the log says how many.",
    )
    connections_per_address: int = Field(
        1_024,
        ge=1,
        description="Connections that one address keeps once three quarters of all are open. Below that any "
        "address may have as many as it likes, since callers often share one (NAT, a proxy). Above, haproxy "
        "refuses new ones of an address that has more, and grpc closes idle ones, of such addresses first.",
    )
    idle_connection_s: float = Field(
        300.0,
        gt=0,
        description="Seconds after which a connection without calls is closed; gRPC's clients connect anew "
        "with their next call.",
    )
    health_watches: int = Field(
        32, ge=1, description="Health.Watch streams open at once per replica; more are refused."
    )


class IngressSettings(BaseModel):
    """Where and how calls are received."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: IngressKind = Field(
        "haproxy",
        description="haproxy: HAProxy and Ray Serve receive calls, retry and drain. grpc: each replica runs "
        "its own gRPC server on the shared port: higher throughput, and the caller's gRPC deadline is seen.",
    )
    address: str = Field("127.0.0.1:9000", description="host:port to call; port 0 chooses a free one.")
    exposed: bool = Field(
        False,
        description="Listen beyond this machine: an address other than loopback is refused unless "
        "true. See docs/manual/security.md for what else listens and what to firewall.",
    )
    tls: TlsSettings | None = Field(
        None,
        description="Certificates; kind grpc only. null = plain text. With HAProxy, end TLS in a proxy in "
        "front of it.",
    )
    tokens: TokenSettings = Field(default_factory=TokenSettings, description="Who may call.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="What one caller may use.")
    replicas: int = Field(
        2, ge=1, description="Processes that answer; with two the router survives the death of one."
    )
    drain_s: float = Field(
        5.0,
        gt=0,
        description="Longest time in seconds that calls in progress may take while a replica stops.",
    )
    deregister_s: float = Field(
        0.5, ge=0, description="Seconds a stopping replica still accepts calls, while HAProxy removes it."
    )
    health_check_period_s: float = Field(
        1.0, gt=0, description="Seconds between two health checks of a replica and of the proxy by Ray Serve."
    )
    health_check_timeout_s: float = Field(
        4.0,
        gt=0,
        description="Seconds within which a replica must answer a health check of Ray Serve; one that is "
        "late three times in a row is killed and replaced.",
    )
    start_timeout_s: float = Field(120.0, gt=0, description="Seconds within which the router must be ready.")

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        split_address(address)
        return address

    @model_validator(mode="after")
    def _exposed_on_purpose(self) -> IngressSettings:
        host, _ = split_address(self.address)
        if not self.exposed and not is_loopback(host):
            raise ValueError(
                f"address {self.address} can be reached from other machines; set exposed: true where that is "
                "meant, or use 127.0.0.1"
            )
        if self.tls is not None and self.kind != "grpc":
            raise ValueError(
                "tls needs kind: grpc; Ray Serve's HAProxy speaks plain text, so end TLS in a proxy before it"
            )
        return self


class RaySettings(BaseModel):
    """The Ray node or cluster the replicas run on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        "",
        description="Ray cluster to deploy to, started with the environment server.ingress.ray_environment "
        "returns; empty = start a local node and stop it with the router.",
    )
    auth_mode: Literal["disabled", "token"] = Field(
        "token",
        description="RAY_AUTH_MODE of a local node, whose ports listen on all interfaces. token: Ray answers "
        "only the router's own processes, by a token made at each start that is written to no file. "
        "disabled: it takes code from anyone who reaches it, and ingress.address must be loopback.",
    )
    object_store_bytes: int = Field(
        100 * 2**20, ge=76 * 2**20, description="Bytes of Ray's object store, which the router barely uses."
    )
    side_processes: bool = Field(
        False,
        description="Whether a local node has Ray's processes for its dashboard, logs and autoscaler: 400 "
        "MiB that the router does not use.",
    )
    cpus_per_replica: float = Field(
        0.1, gt=0, description="CPUs Ray reserves per replica; bookkeeping only, it caps nothing."
    )
    look_interval_s: float = Field(0.5, gt=0, description="Seconds between two checks whether Ray is alive.")
    lost_after_s: float = Field(
        30.0,
        gt=0,
        description="Seconds without an answer of Ray's GCS after which Ray counts as lost. A process of a "
        "local node that has died is noticed at the next check.",
    )


class SupervisionSettings(BaseModel):
    """What is replaced: a router whose process or whose Ray has died, and processes that do not answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    restart_initial_s: float = Field(0.5, gt=0, description="Seconds before the first new start.")
    restart_max_s: float = Field(
        30.0, gt=0, description="Longest pause in seconds between two starts; it doubles up to this."
    )
    jitter: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of each pause that is drawn at random, so that several routers do not start at "
        "once.",
    )
    steady_after_s: float = Field(
        60.0,
        gt=0,
        description="Seconds a router must live for pauses and the count of starts to begin again.",
    )
    stopped_after_s: float = Field(
        4.0,
        gt=0,
        description="Seconds that a process of the router or of Triton may be stopped (SIGSTOP) before it is "
        "killed, and replaced like one that died. Until then calls that it has wait, and so does every event "
        "where it holds the lock of the state; a debugger's stop does not count.",
    )
    haproxy_silent_s: float = Field(
        3.0,
        gt=0,
        description="Seconds without an answer of HAProxy to the router's process after which it is killed, "
        "and replaced by Ray Serve.",
    )
    router_silent_s: float = Field(
        15.0,
        gt=0,
        description="Seconds without a sign of life of the router's process, which sends one every "
        "ray.look_interval_s, after which another router takes its place.",
    )
    max_starts: int = Field(
        5, ge=1, description="Starts in a row that may fail or end early; after them `shopfront run` ends."
    )


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; ValueError where it is something else."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{address!r} is not host:port, for example 127.0.0.1:9000")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`; a name other than localhost is not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
