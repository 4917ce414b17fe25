"""The components a scene may name, and the learned tables that these need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from registration.registry import RegistrationError, Registry
from router.filters.registry import FILTERS
from router.fusion.registry import FUSIONS
from router.rerank.registry import RERANKERS
from router.scenes.settings import SceneSettings
from router.tables.component import ComponentKind
from router.tables.kind import TableKind

COMPONENTS: Mapping[str, Registry[Any]] = {"filters": FILTERS, "fusion": FUSIONS, "rerank": RERANKERS}
"""Key of a scene that maps names to settings → the registry of these names, of `ComponentKind`s."""


def components_of(scene: SceneSettings) -> Iterator[ComponentKind[Any, Any]]:
    """The kinds of the registered components that a scene names."""
    for key, registry in COMPONENTS.items():
        yield from (registry[name] for name in getattr(scene, key))


def tables_of(scenes: Iterable[SceneSettings]) -> dict[str, TableKind]:
    """The tables that the components of these scenes need, by name."""
    return {table.name: table for scene in scenes for kind in components_of(scene) for table in kind.tables}


def registered_tables() -> dict[str, TableKind]:
    """The tables of every registered component, by name.

    Raises:
        RegistrationError: two tables have one name; the message names the components of both.
    """
    found: dict[str, tuple[TableKind, str]] = {}
    for registry in COMPONENTS.values():
        for name, kind in registry.items():
            for table in kind.tables:
                owner = f"the {registry.concept} {name} of {registry.source(name)}"
                before, first_owner = found.setdefault(table.name, (table, owner))
                if before is not table:
                    raise RegistrationError(
                        f"two tables are named {table.name}: one of {first_owner} and one of {owner}; rename "
                        "one of them, or name the same TableKind in both components"
                    )
    return {name: table for name, (table, _) in found.items()}
