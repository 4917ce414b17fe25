"""The contract of a recall channel: its registration, what it is built from, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline import stages
from pipeline.stages import Recalled as Recalled
from recall.query import Query
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork

if TYPE_CHECKING:
    import polars as pl

    from recall.item_pictures import ItemPictures
    from recall.outfit_sets import OutfitSets
    from recall.pictures.sharded_index import OpenShards
    from snapshot.catalogue import Catalogue


class NothingToRecall(Exception):
    """A shop's log lacks what a channel recalls; the message says what. The channel is switched off."""


class ChannelSettings(BaseModel):
    """Base of every channel's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=True, description="Build the channel's tables and open it; false leaves it out."
    )


class OptionalChannelSettings(ChannelSettings):
    """Base of the settings of a channel that is built only where a shop enables it."""

    enabled: bool = Field(
        default=False, description="Build the channel's tables and open it; false leaves it out."
    )


@dataclass(frozen=True)
class BuildSource:
    """What the tables of channels, filters, rerankers and fusions are built from, offline."""

    events: pl.DataFrame
    """user int32, item int32, event uint8, ts int64, and session_id where the log has it; sorted by user and
    ts (`recall.build_events`)."""
    users: pl.DataFrame
    """user int32, user_id str, gender, age_band, city, purchasing_power (str, null = unknown), …"""
    catalogue: Catalogue
    now: int
    """Unix seconds: nothing after it is used, and ages are counted back from it."""
    vectors: Mapping[str, NDArray[np.float32]]
    """Model → item vectors, float32[N+1, D], row 0 zero; only of trained models that make vectors."""
    seed: int
    fitted: Mapping[str, Path] = field(default_factory=dict)
    """Learned table → folder of what was fitted for it before, on a range of time held out from models."""

    tables: Mapping[str, Path] = field(default_factory=dict)
    """Learned table → its built folder, of the tables that the one being built uses."""

    pictures: ItemPictures | None = None
    """The items' pictures; None where the shop has none."""
    no_pictures: str = "the items have no pictures"
    """Why `pictures` is None, for people."""

    outfits: OutfitSets | None = None
    """Items that belong together; None where the shop brings no such sets."""

    tagged_titles: pl.DataFrame | None = None
    """Titles that the shop tagged (`snapshot.dataset.Dataset.tagged_titles`); None where it brought none."""

    work: PartitionWork = IN_THIS_PROCESS
    """Where tables are computed that can be computed in parts, of these events."""

    def item_vectors(self, model: str, used_by: str) -> NDArray[np.float32]:
        """The item vectors of one model.

        Args:
            model: its name.
            used_by: what is built from them, for the message: "the channel mind".

        Returns:
            float32[N+1, D].

        Raises:
            ValueError: the model made no vectors, or they do not fit the catalogue.
        """
        if model not in self.vectors:
            raise ValueError(
                f"{used_by} needs item vectors of the model {model}, and there are only those of "
                f"{', '.join(sorted(self.vectors)) or 'no model'}: train the model {model}, or switch off "
                f"{used_by}"
            )
        vectors = self.vectors[model]
        if vectors.ndim != 2 or len(vectors) != self.catalogue.size + 1:
            raise ValueError(
                f"the item vectors of the model {model} are {list(vectors.shape)}, the catalogue needs "
                f"[{self.catalogue.size + 1}, D]: they were trained on another data set; train it again"
            )
        return vectors


ModelCall = Callable[[Query, Mapping[str, NDArray[Any]]], Awaitable[Mapping[str, NDArray[Any]]]]
"""(query, inputs by name) → all outputs by name, of the model version that belongs to the query's snapshot.

Raises DependencyError where the model cannot be reached, is too slow, or refuses.
"""


@dataclass(frozen=True)
class Services:
    """What a channel may call while it recalls."""

    model: Callable[[str], ModelCall]
    """The call of a model by its name in `models.registry`; KeyError where there is none."""
    open_shards: OpenShards | None = None
    """Opens the parts of an index on many machines; None = in this process."""


@runtime_checkable
class Channel(stages.Channel[Query], Protocol):
    """A pipeline's channel that takes this shop's queries, opened over the files of one snapshot."""

    async def recall(self, query: Query, k: int) -> Recalled:
        """At most k items for the query, best first, no duplicates, no 0 and no −1."""
        ...


@dataclass(frozen=True)
class ChannelKind:
    """The registration of a channel: the last statement of its file."""

    settings: type[ChannelSettings]
    """Its section of the configuration, below `router.recall`."""
    build: Callable[[BuildSource, Path, Any], dict[str, int]]
    """Takes (source, folder, settings); writes the tables into the existing folder, and returns how many
    entries each holds. Raises NothingToRecall where the log has nothing for it, which switches the channel
    off, and ValueError where what it is built from is missing by mistake, which ends the build."""
    open: Callable[[Path, Catalogue, Services, Any], Channel]
    """Takes (folder, catalogue, services, settings) and opens the tables. Raises SnapshotError where they are
    torn or do not fit."""
    models: tuple[str, ...] = ()
    """Names of the models that it is built from or calls."""
    features: tuple[str, ...] = ()
    """Names of the query features that it reads, as `query.features[name]`."""
    optional: bool = False
    """Whether most shops have nothing for it, so that a scene without it is no cause for a warning."""
    waits: bool = True
    """Whether `recall` may wait for another process. One that never does, by False, is asked while the others
    wait, without a task of its own; its timeout does not hold."""
