"""Whether traces are exported, read from OpenTelemetry's standard environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foundation.telemetry.tracing.open_tracing import Tracing

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class TracingConfigurationError(ValueError):
    """A variable has a value that is not supported; the message names it and the possible values."""


def traces_are_wanted(environment: Mapping[str, str]) -> bool:
    """Whether an endpoint is configured and nothing switches traces off.

    Raises TracingConfigurationError where the configured exporter or protocol is not supported.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not _first(environment, _ENDPOINTS):
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter == "none":
        return False
    if exporter != "otlp":
        raise TracingConfigurationError(f"OTEL_TRACES_EXPORTER is {exporter!r}; it can be otlp or none")
    protocol = _first(environment, _PROTOCOLS) or "grpc"
    if protocol != "grpc":
        raise TracingConfigurationError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; traces are sent by grpc, so name the collector's "
            "gRPC port (usually 4317) and leave the protocol out"
        )
    return True


def tracing_from_environment(environment: Mapping[str, str]) -> Tracing | None:
    """Traces as the variables say; None, with OpenTelemetry not even imported, where none are wanted.

    Raises TracingConfigurationError as `traces_are_wanted`.
    """
    if not traces_are_wanted(environment):
        return None
    from foundation.telemetry.tracing.open_tracing import open_tracing

    return open_tracing()


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name, "").strip())), "")
