"""How much one call may ask; apart, since processes that only receive calls know these and nothing else."""

from __future__ import annotations

MAX_PUT, MAX_DELETED = 32, 1_000
