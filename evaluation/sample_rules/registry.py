"""All sample rules, those of plug-ins last."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from evaluation.sample_rules import (
    aware_shoppers,
    cart_removals,
    fake_orders,
    graded_labels,
    listed,
    odd_periods,
    position_bias,
    truncated_counts,
)
from evaluation.sample_rules.rule import GeneralRuleSettings, SampleRule
from registration.registered_sections import RegisteredSections
from registration.registry import Registry

SAMPLE_RULES: Registry[SampleRule] = Registry(
    "sample rule",
    "SAMPLE_RULES",
    {
        "graded_labels": graded_labels.RULE,
        "odd_periods": odd_periods.RULE,
        "listed": listed.RULE,
        "truncated_counts": truncated_counts.RULE,
        "fake_orders": fake_orders.RULE,
        "aware_shoppers": aware_shoppers.RULE,
        "position_bias": position_bias.RULE,
        "cart_removals": cart_removals.RULE,
    },
    kind=SampleRule,
)


class SampleRulesSettings(RegisteredSections):
    """What the samples of the last layer and of models count; all is off where it is not known to help."""

    @classmethod
    def section_types(cls) -> Mapping[str, type[BaseModel]]:
        """Settings of each registered rule."""
        return {name: rule.settings for name, rule in SAMPLE_RULES.items()}

    def enabled(self) -> tuple[str, ...]:
        """Names of the rules that are on."""
        return tuple(name for name, section in self.sections().items() if section.enabled)  # type: ignore[attr-defined]

    def of_models(self) -> dict[str, GeneralRuleSettings]:
        """Name → settings of the rules that weigh the samples that models are trained on."""
        return {
            name: section
            for name, section in self.sections().items()
            if isinstance(section, GeneralRuleSettings) and section.models
        }
