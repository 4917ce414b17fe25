"""How the settings of a scene are read: no unknown keys, no types bent into others, no change."""

from __future__ import annotations

from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
