"""The registration of a component of a scene (filter, reranker, fusion), and what it is created from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Parts:
    """What a component is created from.

    catalogue  that of the snapshot, with its columns by dense item index
    tables     opened tables by name, exactly those that the component's kind names
    """

    catalogue: Catalogue
    tables: Mapping[str, Any]


P = TypeVar("P", bound=Parts)
C = TypeVar("C")


@dataclass(frozen=True)
class ComponentKind(Generic[P, C]):
    """Base of `FilterKind`, `RerankerKind` and `FusionKind`: the last statement of a component's file."""

    settings: type[BaseModel]
    """What a scene may set; every field has a default and a description."""
    create: Callable[[P, Any], C]
    """Takes (parts, settings) and returns the component; called for each scene that names it."""
    tables: tuple[TableKind, ...] = ()
    """Learned tables that it may read; built where a scene names the component, those alone that its settings
    need where these have a method `needed_tables`."""
    features: tuple[str, ...] = ()
    """Names of the query features that it reads, as `query.features[name]`."""

    def tables_of(self, settings: BaseModel) -> tuple[TableKind, ...]:
        """Those of `tables` that a component of these settings reads."""
        needed = getattr(settings, "needed_tables", None)
        return self.tables if needed is None else tuple(needed())
