"""Connections to LMDB and Redis, and how their failures are reported."""
