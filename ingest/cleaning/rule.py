"""What declares a cleaning rule: its settings and the function that keeps events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from ingest.cleaning.evidence import Evidence

if TYPE_CHECKING:
    import polars as pl


class RuleSettings(BaseModel):
    """Base of a rule's settings; its docstring describes the rule in the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Whether the rule runs.")


@dataclass(frozen=True, slots=True)
class CleaningRule:
    """One rule.

    Every process that reads settings imports the module of a rule, so it imports polars in functions.
    """

    settings: type[RuleSettings]
    """Its section of `ingest.cleaning`."""
    keep: Callable[[pl.DataFrame, Any, Evidence], pl.Series]
    """keep(events, settings, evidence) returns bool[e], True for the events to keep. Events have user, item
    int32, event uint8, ts_ms int64, sorted by user and time. They are all events of some shoppers, or of all:
    what is kept of a shopper must not depend on who else is there."""
