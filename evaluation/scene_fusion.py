"""A scene's fusion, made for any channels and shares: as the scene serves it, or as a search tries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel

from pipeline.stages import Fusion
from recall.channel import BuildSource
from router.fusion.kind import FusionParts
from router.fusion.registry import FUSIONS
from router.scenes.settings import SceneSettings
from router.tables.files import build_tables, open_tables
from router.tables.kind import with_used


class FusionOf(Protocol):
    """Makes a fusion."""

    def __call__(self, shares: Mapping[str, float], /) -> Fusion:
        """Of these channels, whose answers it takes in this order, with their shares (sum above 0)."""
        ...


@dataclass(frozen=True)
class SceneFusion:
    """The fusion that a scene names.

    name            as registered
    settings        of the type that its registration names
    table_settings  settings of learned tables by name; those that it reads are there
    """

    name: str
    settings: BaseModel
    table_settings: Mapping[str, BaseModel]

    @classmethod
    def of(cls, scene: SceneSettings, table_settings: Mapping[str, BaseModel]) -> SceneFusion:
        """The fusion of `scene`."""
        ((name, settings),) = scene.fusion.items()
        return cls(name, settings, table_settings)

    def open(self, source: BuildSource, folder: Path) -> FusionOf:
        """What makes it, its learned tables built from `source` into `folder`, which must be absent."""
        kind = FUSIONS[self.name]
        tables: Mapping[str, Any] = {}
        if kind.tables:
            needed = with_used(kind.tables)
            build_tables(needed, source, folder, self.table_settings)
            tables = open_tables(needed, folder, source.catalogue, self.table_settings)

        def fusion_of(shares: Mapping[str, float]) -> Fusion:
            values = np.array(list(shares.values()), dtype=np.float64)
            parts = FusionParts(source.catalogue, tables, tuple(shares), values)
            return kind.create(parts, self.settings)

        return fusion_of
