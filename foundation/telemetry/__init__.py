"""Metrics, traces, logs, and the call that the running task belongs to."""
