"""Similar_look: items whose pictures look like those of the triggers, also items that nobody touched yet.

Pictures are compared by the cosine of their vectors (`recall.picture_space`). The photo search reads the same
files: `SimilarLook.search` takes vectors of pictures that are no item's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL, DependencyError
from recall.category_head import CategoryHead
from recall.channel import BuildSource, ChannelKind, NothingToRecall, Recalled, Services
from recall.item_pictures import open_contents, save_contents
from recall.object_head import ObjectHead
from recall.picture_space import PictureSpace
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import open_index_files, write_index_files
from recall.pictures.main_part import MainPart
from recall.pictures.picture_index import PictureIndex
from recall.pictures.searched import Alike, IndexChange, Pictured, PictureSearch
from recall.pictures.settings import SimilarLookSettings
from recall.pictures.shard import shard_folders, write_shards
from recall.pictures.sharded_index import ShardedIndex, ShardsInProcess
from recall.pictures.silent_shards import SilentShards
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError

NAME = "similar_look"
_ITEMS = "picture_items"

T = TypeVar("T")


class SimilarLook:
    """Searches the pictures of items."""

    name = NAME

    def __init__(
        self,
        index: PictureSearch,
        space: PictureSpace,
        catalogue: Catalogue,
        settings: SimilarLookSettings,
        head: CategoryHead | None = None,
        objects: ObjectHead | None = None,
    ) -> None:
        """Opens nothing."""
        self.space = space
        self.head = head
        """Names the category of a picture's features; None where too few pictures taught it."""
        self.objects = objects
        """Finds things in a picture; None where nothing taught it."""
        self.catalogue = catalogue
        self.withheld = ""
        """Why the index must not be searched, since it may contain what was deleted; "" where it may."""
        self._index = index
        self._settings = settings
        self._category = catalogue.category

    @property
    def pictures(self) -> int:
        """Rows of the index, deleted pictures included."""
        return sum(self._index.pictures)

    @property
    def revision(self) -> int:
        """Number of the last change of a picture that is in the index; may wait for other processes."""
        return self._index.revision

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of `work`, which searches: in a thread where that waits for other processes."""
        return await asyncio.to_thread(work) if self._index.waits else work()

    def vectors_of(self, items: NDArray[np.int32]) -> Pictured:
        """Those of `items` that have a picture, and the vectors of their first ones."""
        return self._index.vectors_of(items)

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        category: int = 0,
        eligible: NDArray[np.bool_] | None = None,
        minimum: float = -1.0,
    ) -> Alike:
        """See `PictureIndex.search`.

        Raises DependencyError where it is not known what was deleted, or no part of the index answers.
        """
        if self.withheld:
            raise DependencyError(self.withheld)
        faiss.omp_set_num_threads(self._settings.threads)
        return self._index.search(vector, k, category=category, eligible=eligible, minimum=minimum)

    def apply(self, changes: Sequence[IndexChange], revision: int) -> None:
        """Takes up pictures that were put and deleted, up to a revision; on any one thread at a time."""
        self._index.apply(changes, revision)

    def vector_of(self, look: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[D] of the look float32[F + C] of a picture (`recall.picture_space`).

        Raises DependencyError where this snapshot was built with another encoder, or other colours.
        """
        if len(look) != len(self.space.centre):
            raise DependencyError(
                f"the snapshot's pictures have looks of {len(self.space.centre)}, this one has {len(look)}; "
                "build the snapshot again"
            )
        return np.asarray(self.space.project(look[None])[0])

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items most alike to a trigger's first picture, by cosine × the trigger's weight.

        The triggers themselves are left out. Empty where no trigger has a picture. Where the query has a
        look, the items most like it, by cosine, of those that a must allows.
        """
        if query.look is not None:
            vector = self.vector_of(query.look)
            found = await self.aside(lambda: self.search(vector, k, eligible=query.wish.eligible))
            return Recalled(found.items, found.likeness, np.zeros(len(found.items), np.int32), found.missing)
        return await self.aside(lambda: self._like_triggers(query, k))

    def _like_triggers(self, query: Query, k: int) -> Recalled:
        heaviest = np.argsort(-query.trigger_weights, kind="stable")
        pictured = self.vectors_of(query.triggers[heaviest])
        triggers = pictured.items[: self._settings.triggers]
        vectors = pictured.vectors[: self._settings.triggers]
        if not len(triggers) or k <= 0:
            return EMPTY_RECALL._replace(missing=pictured.missing)
        weight_of = dict(zip(query.triggers.tolist(), query.trigger_weights.tolist(), strict=True))
        parts, missing = [], pictured.missing
        for trigger, vector in zip(triggers.tolist(), vectors, strict=True):
            found = self.search(
                vector,
                k + len(query.triggers),
                category=int(self._category[trigger]) if self._settings.within == "category" else 0,
                minimum=self._settings.minimum_likeness,
            )
            weighted = found.likeness * np.float32(weight_of[trigger])
            parts.append((found.items, weighted, np.full(len(found.items), trigger)))
            missing = missing or found.missing
        items, scores, causes = (np.concatenate(column) for column in zip(*parts, strict=True))
        kept = ~np.isin(items, query.triggers)
        items, scores, causes = items[kept], scores[kept], causes[kept]
        order = np.lexsort((items, -scores))
        _, first = np.unique(items[order], return_index=True)
        best = order[np.sort(first)][:k]
        return Recalled(
            items[best].astype(np.int32),
            scores[best].astype(np.float32),
            causes[best].astype(np.int32),
            missing,
        )


def build(source: BuildSource, folder: Path, settings: SimilarLookSettings) -> dict[str, int]:
    """Write the items' pictures and their index; NothingToRecall where the shop has none."""
    pictures = source.pictures
    if pictures is None:
        raise NothingToRecall(source.no_pictures)
    sold = source.catalogue.in_stock[pictures.items]
    if not sold.any():
        raise NothingToRecall("no item in stock has a usable picture")
    # Items out of stock are not found, but others that look like them are.
    save_column(folder, _ITEMS, pictures.items)
    save_contents(folder, pictures.contents, pictures.revision)
    pictures.space.save(folder)
    if pictures.head is not None:
        pictures.head.save(folder)
    if pictures.objects is not None:
        pictures.objects.save(folder)
    if settings.shards:
        write_shards(
            folder,
            pictures.items,
            pictures.contents,
            pictures.vectors,
            pictures.revision,
            source.catalogue,
            settings,
            source.seed,
        )
    else:
        write_index_files(folder, pictures.vectors, settings, source.seed)
    return {
        "pictures": len(pictures.items),
        "items": len(np.unique(pictures.items)),
        "dimensions": pictures.space.dimensions,
    }


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: SimilarLookSettings
) -> SimilarLook:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    space = PictureSpace.open(folder)
    items = load_column(folder, _ITEMS, np.dtype(np.int32))
    if not len(items) or items.min() < 1 or items.max() > catalogue.size or (np.diff(items) < 0).any():
        raise SnapshotError(
            folder,
            f"{_ITEMS}.npy",
            "names items that the catalogue does not have, or not in their order",
            "build the snapshot again",
        )
    contents, revision = open_contents(folder, len(items))
    bounds, folders = shard_folders(folder, catalogue.size)
    if folders:
        shards = (services.open_shards or ShardsInProcess)(folders, space.dimensions, settings)
        silent = SilentShards(settings.shard_silent_ms / 1_000, settings.shard_pause_s)
        index: PictureSearch = ShardedIndex(
            shards, bounds, revision, settings.shard_timeout_ms / 1_000, silent
        )
    else:
        files = open_index_files(folder, len(items), space.dimensions)
        main = MainPart(files.index, files.vectors, items, contents, catalogue.in_stock[items], settings)
        index = PictureIndex(
            main,
            DeltaPart(files.empty, space.dimensions, settings),
            catalogue.category,
            catalogue.code_count("category"),
            np.asarray(catalogue.in_stock),
            settings,
            revision,
        )
    head = CategoryHead.open(folder, space.features)
    if head is not None and not 0 < head.codes.max() <= catalogue.code_count("category"):
        raise SnapshotError(folder, "head_codes.npy", "names unknown categories", "build the snapshot again")
    return SimilarLook(index, space, catalogue, settings, head, ObjectHead.open(folder))


CHANNEL = ChannelKind(settings=SimilarLookSettings, build=build, open=open_channel, optional=True)
