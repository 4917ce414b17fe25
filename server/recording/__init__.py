"""Requests kept on disk as they came, to be replayed by a load test."""
