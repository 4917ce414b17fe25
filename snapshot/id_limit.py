"""How long an id may be; ingest leaves longer ones out and the API refuses them."""

MAX_ID_BYTES = 256
"""Longest user or item id, bytes of UTF-8."""
