"""A load generator for gRPC services: ghz's flags and reports, open-loop schedules and latency from the
intended start.
"""
