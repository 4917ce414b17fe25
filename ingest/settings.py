"""Settings of ingest: how raw logs become a data set."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.cleaning.rules import RULES
from registration.registered_sections import RegisteredSections


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CleaningSettings(RegisteredSections):
    """Cleaning rules, run in this order."""

    @classmethod
    def section_types(cls) -> dict[str, type[BaseModel]]:
        """Settings of each registered rule, in the order they run."""
        return {name: rule.settings for name, rule in RULES.items()}


class CutSettings(_Section):
    """Where training, validation and test part in time."""

    valid_quantile: float = Field(
        default=0.90, gt=0, lt=1, description="Share of events before the validation period, 0…1."
    )
    test_quantile: float = Field(
        default=0.95, gt=0, lt=1, description="Share of events before the test period, 0…1."
    )

    @model_validator(mode="after")
    def _ordered(self) -> CutSettings:
        if self.valid_quantile > self.test_quantile:
            raise ValueError(
                f"valid_quantile ({self.valid_quantile}) must not exceed test_quantile ({self.test_quantile})"
            )
        return self


class IngestSettings(_Section):
    """How raw logs become a data set."""

    cleaning: CleaningSettings = Field(default_factory=CleaningSettings)
    cuts: CutSettings = CutSettings()
    keep_items_without_events: bool = Field(
        default=True, description="Whether items of the items file that nobody touched enter the catalogue."
    )
    unknown_stock_sells: bool = Field(
        default=False,
        description="Whether an item whose stock is empty or unreadable is offered, where others have one.",
    )
