"""Settings of the console."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from server.ingress_settings import is_loopback, split_address


class ConsoleSettings(BaseModel):
    """Where the console listens, and who may use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="Whether `shopfront run` starts the console beside the router.")
    address: str = Field(
        "127.0.0.1:9001",
        description="host:port for browsers; beyond loopback tokens_file is needed. Port 0: a free one. "
        "Where the port is taken, `shopfront run` says so and serves without the console.",
    )
    tokens_file: Path | None = Field(
        None,
        description="File of those who may use it, one a line: role (viewer or operator), name, token; # for "
        "comments. null: everybody who can reach the loopback address is an operator.",
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Further host names by which browsers call it, such as that of a proxy before it; others "
        "are refused.",
    )
    audit: Path = Field(
        Path("build/sample/logs/console_audit.jsonl"),
        description="File to which every change is added: when, who, what, and what came of it.",
    )
    timeout_s: float = Field(5.0, gt=0, le=60, description="Seconds that a call of the router may take.")
    sample_s: float = Field(
        10.0,
        ge=0.5,
        description="Seconds between two readings of the router's counts, while somebody looks at them; each "
        "costs the router some 40 ms of processor time.",
    )

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        split_address(address)
        return address

    @model_validator(mode="after")
    def _tokens_beyond_loopback(self) -> ConsoleSettings:
        host, _ = split_address(self.address)
        if self.tokens_file is None and not is_loopback(host):
            raise ValueError(
                f"address {self.address} can be reached from other machines: name those who may use the "
                "console in tokens_file, or use 127.0.0.1"
            )
        return self
