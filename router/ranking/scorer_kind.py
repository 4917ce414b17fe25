"""The registration of a scorer: its settings, how it is opened, and where its version comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from pipeline.stages import LiveScorer, Scorer
from recall.query import Query
from router.ranking.model_scorer import ModelScorer
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue

VersionSource = Literal["snapshot", "live"]


@dataclass(frozen=True, slots=True)
class ScorerContext:
    """What a scorer is opened with.

    catalogue  of the snapshot
    models     scorers of the models on Triton, by model name; the main model's follows its rollout
    model      the scene's `ranking.model`
    tables     opened tables that the registration names, by name
    """

    catalogue: Catalogue
    models: Mapping[str, ModelScorer]
    model: str = ""
    tables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScorerKind:
    """A registered scorer.

    settings        type of its settings in a scene's `ranking.scorers`
    open            (context, settings) → the scorer, or for "live" the source of its versions; raises
                    ValueError where the context lacks what it needs
    columns         names of the columns it gives, in their order; the first one counts most
    version_source  "snapshot": it is opened for each snapshot, and its version belongs to the snapshot.
                    "live": it is opened once per process and settings, and names its version itself
    tables          learned tables that it reads; built where a scene names the scorer
    features        names of the query features that it needs
    splits          whether its candidates may be split into several calls, as `ranking.part_size` sets
    channel_ranks   whether its candidates have the columns of `pipeline.channel_ranks`
    waits           whether `score` may wait for another process; one that never does scores while the others
                    wait, without a task of its own, and its timeout does not hold
    """

    settings: type[BaseModel]
    open: Callable[[ScorerContext, Any], Scorer[Query] | LiveScorer[Query]]
    columns: tuple[str, ...] = ("score",)
    version_source: VersionSource = "snapshot"
    tables: tuple[TableKind, ...] = ()
    features: tuple[str, ...] = ()
    splits: bool = False
    channel_ranks: bool = False
    waits: bool = True
