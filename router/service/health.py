"""Whether this router can answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """`serving` is what load balancers act on; `reason` says in words why not, or what is missing."""

    serving: bool
    reason: str = ""
