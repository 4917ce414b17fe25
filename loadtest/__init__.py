"""A load generator for gRPC services, with ghz's flags and reports.

Beyond ghz: open-loop schedules, and latency measured from the intended start of each request.
"""
