"""Recall channels: how each is built offline, opened over a snapshot, and queried."""
