"""The target of requests, parsed from ghz's host argument."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.errors import LoadTestError


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is set for a Unix socket, else `host` and `port`."""

    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The :authority of requests unless an option gives another."""
        if self.path:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """`host:port`, `[::1]:port`, `dns:///host:port` or `unix:path`; else raises LoadTestError."""
    if text.startswith("unix:"):
        path = text[5:].removeprefix("//")
        if not path:
            raise LoadTestError(f"host {text!r} names no socket; write unix:/path/to/socket")
        return Target("", 0, path)
    address = text
    for prefix in ("dns:///", "passthrough:///"):
        address = address.removeprefix(prefix)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65_536 or not host or "//" in host:
        raise LoadTestError(f"host {text!r} is not host:port, for example localhost:50051")
    return Target(host.strip("[]"), int(port))
