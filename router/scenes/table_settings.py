"""Settings of learned tables: one section per table that a registered component needs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from registration.registered_sections import RegisteredSections
from router.scenes.components import registered_tables


class TablesSettings(RegisteredSections):
    """The learned tables of filters, rerankers and fusions, by the table's name."""

    @classmethod
    def section_types(cls) -> Mapping[str, type[BaseModel]]:
        """The settings type of each table, by its name."""
        return {name: table.settings for name, table in registered_tables().items()}
