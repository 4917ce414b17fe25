"""Gives each component of a configuration what it is created from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from router.scenes.problems import SettingsError
from router.tables.component import ComponentKind, Parts
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class PartsOf:
    """The parts of the components below one key of the scene configuration.

    where      dotted path of that key, for messages: "scenes.home"
    catalogue  of the snapshot
    tables     the snapshot's open learned tables by name
    """

    where: str
    catalogue: Catalogue
    tables: Mapping[str, Any]

    def of_component(self, key: str, name: str, kind: ComponentKind[Any, Any], settings: BaseModel) -> Parts:
        """The parts of the component `name` below `key`. Raises SettingsError as `of` does."""
        return self.of(f"{self.where}.{key}.{name}", kind.tables_of(settings))

    def of(self, where: str, tables: Sequence[TableKind]) -> Parts:
        """The parts of what needs these tables.

        Raises:
            SettingsError: the snapshot lacks one of the tables; names `where`, the table and what to do.
        """
        for table in tables:
            if table.name not in self.tables:
                raise SettingsError(
                    "scene configuration",
                    [
                        f"{where}: needs the table {table.name}, which the snapshot does not have; "
                        "run `shopfront build`"
                    ],
                )
        return Parts(self.catalogue, {table.name: self.tables[table.name] for table in tables})
