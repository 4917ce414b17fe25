"""How much one call may ask; apart, since processes that only receive calls know these and nothing else."""

from __future__ import annotations

MAX_ITEMS = 20
"""Items whose way to a page is explained."""
MAX_PREFIXES = 50
MAX_DESCRIBED = 200
MAX_EDITS = 200
"""Edits of a scene or an experiment."""
MAX_SHOPPERS = 5
"""Shoppers whose pages are previewed."""
MAX_BYTES = 128 * 1024
"""Of a scene file."""
