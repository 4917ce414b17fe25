"""What declares a sample rule: its settings, and what each event counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from snapshot.catalogue import Catalogue

if TYPE_CHECKING:
    import polars as pl


class SampleRuleSettings(BaseModel):
    """Base of a rule's settings; its docstring describes the rule in the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(
        default=False, description="Whether the rule weighs the samples of the last layer of ranking."
    )


class GeneralRuleSettings(SampleRuleSettings):
    """Base of the settings of a rule that is about samples in general, not those of one scene or layer."""

    models: bool = Field(
        default=False,
        description="Whether the rule weighs the samples that models are trained on, as well or alone.",
    )


@dataclass(frozen=True)
class SampleLog:
    """The log that samples are taken from.

    past     events before the window: user, item, event, ts, and of scene, position those that the log has
    window   those of the window whose takes are samples, the same columns
    users    user, user_id
    catalogue  of the items
    cart_changes   what was put into carts and taken out until the window's end, as of `Dataset.cart_changes`;
                   None: nothing
    """

    past: pl.DataFrame
    window: pl.DataFrame
    users: pl.DataFrame
    catalogue: Catalogue
    cart_changes: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a rule says of a window.

    weights  float64[e], how much each event of the window counts as a sample; 0: it is none, 1: as it is
    note     why the rule could say nothing; empty: it could
    """

    weights: pl.Series
    note: str = ""

    @classmethod
    def silent(cls, log: SampleLog, note: str) -> Weighed:
        """Every event as it is."""
        import polars as pl

        return cls(pl.repeat(1.0, log.window.height, dtype=pl.Float64, eager=True), note)


@dataclass(frozen=True, slots=True)
class SampleRule:
    """One rule.

    settings  its section of `samples`
    weigh     (log, settings) → what each event of the window counts
    """

    settings: type[SampleRuleSettings]
    weigh: Callable[[SampleLog, Any], Weighed]
