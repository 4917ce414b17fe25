"""A scene as the router serves it, in this process: its channels, fusion, filters, scorers and rerankers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.loaded_models import LoadedModel
from models.contracts import contracts, network_of
from pipeline.candidates import PROBABILITY, Candidates
from pipeline.plan import Pipeline
from pipeline.runner import arrange, rank
from pipeline.stages import NO_MODEL, Model
from recall.channel import BuildSource, Channel
from recall.query import Query
from router.ranking.logistic.table import LOGISTIC_RANKER, LogisticRankerSettings
from router.ranking.triton_model import TritonModelSettings
from router.scenes.assemble import assemble
from router.scenes.settings import SceneSettings
from router.tables.files import build_tables, open_tables
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue

UNHURRIED_MS = 10_000.0


@dataclass(frozen=True)
class ServedScene:
    """A scene's name and settings, and the learned tables that it needs with their settings, by name."""

    name: str
    settings: SceneSettings
    tables: Mapping[str, TableKind]
    table_settings: Mapping[str, BaseModel]

    def open(
        self,
        source: BuildSource,
        folder: Path,
        channels: Mapping[str, Channel],
        models: Mapping[str, LoadedModel],
    ) -> Pipeline[Query]:
        """The scene's pipeline, over tables in the folder; those that it lacks are built from `source`.

        Raises as `opened` does.
        """
        missing = {name: kind for name, kind in self.tables.items() if not (folder / name).exists()}
        build_tables(missing, source, folder, self.table_settings)
        return self.opened(folder, source.catalogue, channels, models)

    def opened(
        self,
        folder: Path,
        catalogue: Catalogue,
        channels: Mapping[str, Channel],
        models: Mapping[str, LoadedModel],
    ) -> Pipeline[Query]:
        """The scene's pipeline, over the folder's tables.

        No stage is cut short by the scene's time limits. Raises SettingsError where none of the channels is
        there, or a table or model that the scene needs is not.
        """
        scorers = {name: models[network_of(name)] for name in contracts() if network_of(name) in models}
        return assemble(
            self.name,
            unhurried(self.settings),
            channels,
            catalogue,
            {name: InProcessScorer(model) for name, model in scorers.items()},
            tables=open_tables(self.tables, folder, catalogue, self.table_settings),
        )

    def unranked(self) -> ServedScene:
        """The scene without its scorers, whose models need not be there: its candidates are the same."""
        ranking = self.settings.ranking.model_copy(update={"enabled": False})
        return replace(self, settings=self.settings.model_copy(update={"ranking": ranking}))

    def in_recall_order(self) -> ServedScene:
        """The scene without ranking, as it is served while the models cannot be reached."""
        unranked = self.unranked()
        return replace(self, settings=unranked.settings.model_copy(update={"prerank": None}))

    def without_models(self) -> ServedScene | None:
        """The scene without its scorers that are models on Triton, as served while these cannot be reached.

        None where it has no other scorer, or none of them.
        """
        scorers = self.settings.ranking.scorers
        others = {
            name: scorer
            for name, scorer in scorers.items()
            if not isinstance(scorer.settings, TritonModelSettings)
        }
        if not self.settings.ranking.enabled or not others or len(others) == len(scorers):
            return None
        ranking = self.settings.ranking.model_copy(update={"scorers": others})
        return replace(self, settings=self.settings.model_copy(update={"ranking": ranking, "prerank": None}))


@dataclass(frozen=True)
class InProcessScorer:
    """A trained model as the scorer that the router has over Triton."""

    model_here: LoadedModel

    async def score(self, query: Query, candidates: Candidates) -> NDArray[np.float32]:
        """float32[n], the model's first output."""
        return self.model_here.ranked(query, candidates)

    def model(self, query: Query) -> Model:
        """No version on Triton."""
        return NO_MODEL


def rate_prior(scenes: Sequence[ServedScene]) -> float:
    """That of the table of the last layer, as the scenes' settings have it."""
    sections = [scene.table_settings.get(LOGISTIC_RANKER.name) for scene in scenes]
    found = [section for section in sections if isinstance(section, LogisticRankerSettings)]
    return (found[0] if found else LogisticRankerSettings()).rate_prior


def unhurried(scene: SceneSettings) -> SceneSettings:
    """The scene with time limits that no stage reaches."""
    slow = {"timeout_ms": UNHURRIED_MS}
    ranking = scene.ranking
    return scene.model_copy(
        update={
            "channels": {name: part.model_copy(update=slow) for name, part in scene.channels.items()},
            "ranking": ranking.model_copy(
                update={
                    **slow,
                    "scorers": {
                        name: scorer.model_copy(update=slow) for name, scorer in ranking.scorers.items()
                    },
                }
            ),
        }
    )


async def served(
    pipeline: Pipeline[Query], query: Query, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """As `served_items`, then all n ranked candidates, int32[n], and their scores as shown, float32[n]."""
    deadline = time.monotonic() + UNHURRIED_MS / 1_000
    ranked = await rank(pipeline, query, size, deadline, time.monotonic)
    candidates = ranked.candidates
    shown = candidates.columns.get(PROBABILITY, candidates.score)
    return arrange(ranked, size).items.items, candidates.items, shown


async def served_items(pipeline: Pipeline[Query], query: Query, size: int) -> NDArray[np.int32]:
    """The items of the page of `size` slots, int32[≤ size], in page order."""
    return (await served(pipeline, query, size))[0]
