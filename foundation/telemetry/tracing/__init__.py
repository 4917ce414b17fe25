"""OpenTelemetry traces of requests, from the caller through the stages to Triton.

Only `open_tracing` imports OpenTelemetry, and only where an endpoint is configured.
"""
