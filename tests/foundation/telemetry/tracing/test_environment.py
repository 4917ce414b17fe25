"""Traces are exported where the standard variables say so, and nothing is imported for them elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from foundation.telemetry.tracing.environment import TracingConfigurationError, traces_are_wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "router", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4317"}, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),
    ],
)
def test_an_endpoint_switches_traces_on(environment: dict[str, str], wanted: bool) -> None:
    assert traces_are_wanted(environment) is wanted


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
)
def test_what_cannot_be_done_is_named(variable: str, value: str) -> None:
    with pytest.raises(TracingConfigurationError, match=f"{variable} is '{value}'"):
        traces_are_wanted(ENDPOINT | {variable: value})


@pytest.mark.slow
def test_without_an_endpoint_opentelemetry_is_not_imported() -> None:
    code = (
        "import sys\n"
        "import server.startup, server.ingress.own_grpc\n"
        "from foundation.telemetry.tracing.environment import tracing_from_environment\n"
        "assert tracing_from_environment({}) is None\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'opentelemetry'], 'imported'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
