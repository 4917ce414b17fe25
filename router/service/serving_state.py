"""Whether this router can answer calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServingState:
    """`serving`: whether load balancers should send calls; `reason`: why not, or what is missing."""

    serving: bool
    reason: str = ""
