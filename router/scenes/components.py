"""The components a scene may name, and the learned tables that these need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from registration.declaration import name_fault
from registration.registry import RegistrationError, Registry
from router.filters.registry import FILTERS
from router.fusion.registry import FUSIONS
from router.page.registry import PAGE_RERANKERS
from router.page.settings import PageArrangementSettings
from router.ranking.registry import SCORERS
from router.rerank.registry import RERANKERS
from router.scenes.settings import SceneSettings
from router.tables.kind import TableKind, with_used

COMPONENTS: Mapping[str, Registry[Any]] = {"filters": FILTERS, "fusion": FUSIONS, "rerank": RERANKERS}
"""Key of a scene that maps names to settings → the registry of these names, of `ComponentKind`s."""


REGISTRIES: tuple[Registry[Any], ...] = (*COMPONENTS.values(), SCORERS, PAGE_RERANKERS)
"""Registries of everything whose registration names learned tables and query features."""


class Component(Protocol):
    """The registration of a component: a `ComponentKind` or a `ScorerKind`."""

    @property
    def tables(self) -> tuple[TableKind, ...]:
        """Learned tables that it reads."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the query features that it reads."""
        ...


def components_of(scene: SceneSettings) -> Iterator[Component]:
    """The registrations of the components and scorers that a scene names."""
    for key, registry in COMPONENTS.items():
        yield from (registry[name] for name in getattr(scene, key))
    yield from (SCORERS[scorer.scorer] for scorer in scene.ranking.scorers.values())


def tables_of(
    scenes: Iterable[SceneSettings], page: PageArrangementSettings = PageArrangementSettings()
) -> dict[str, TableKind]:
    """The tables that the components of these scenes, and the page rerankers, need; by name."""
    needed = [table for scene in scenes for table in _tables_of_scene(scene)]
    needed += [
        table for name, settings in page.rerank.items() for table in PAGE_RERANKERS[name].tables_of(settings)
    ]
    return with_used(needed)


def _tables_of_scene(scene: SceneSettings) -> Iterator[TableKind]:
    for key, registry in COMPONENTS.items():
        for name, settings in getattr(scene, key).items():
            yield from registry[name].tables_of(settings)
    for scorer in scene.ranking.scorers.values():
        yield from SCORERS[scorer.scorer].tables


def registered_tables() -> dict[str, TableKind]:
    """The tables of every registered component, by name.

    Raises:
        RegistrationError: two tables have one name; the message names the components of both.
    """
    found: dict[str, tuple[TableKind, str]] = {}
    for registry in REGISTRIES:
        for name, kind in registry.items():
            for table in with_used(kind.tables).values():
                owner = registry.owner(name)
                fault = name_fault(table.name)
                if fault is not None:
                    raise RegistrationError(f"the table {str(table.name)[:80]!r} of {owner} {fault}")
                before, first_owner = found.setdefault(table.name, (table, owner))
                if before is not table:
                    raise RegistrationError(
                        f"two tables are named {table.name}: one of {first_owner} and one of {owner}; rename "
                        "one of them, or name the same TableKind in both components"
                    )
    return {name: table for name, (table, _) in found.items()}
