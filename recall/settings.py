"""Settings of recall: one section per registered channel, beside its file, and the choice of triggers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from recall.registry import CHANNELS
from recall.triggers import TriggerSettings
from registration.registered_sections import RegisteredSections


class RecallSettings(RegisteredSections):
    """Every channel's settings, by the channel's name, and the choice of triggers."""

    triggers: TriggerSettings = TriggerSettings()

    @classmethod
    def section_types(cls) -> Mapping[str, type[BaseModel]]:
        """The settings type of each channel, by its name."""
        return {name: kind.settings for name, kind in CHANNELS.items()}
