"""From the column `image` of a shop's items to vectors and groups of nearly identical pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.picture_encoder import FEATURES
from recall.category_head import CategoryHead
from recall.item_pictures import ItemPictures
from recall.object_head import ObjectHead
from vision.colours import COLOURS
from vision.encode_pictures import EncodedPictures, encode_pictures
from vision.encoder import Encoder
from vision.feature_cache import FeatureCache
from vision.fit_by_photos import Labelled, PhotoFit, fit_by_photos
from vision.fit_category_head import fit_category_head
from vision.fit_space import fit_space
from vision.item_files import count_pictures, item_pictures
from vision.look import make_looks, of_unweighted_looks
from vision.near_identical import near_identical
from vision.received_pictures import NOTHING_RECEIVED, Received, fold
from vision.settings import PictureSettings

_LEAST_ITEMS = 2
_PREPARATION = "stretched-2"
"""Changes with the way from bytes to squares, so that older features are not taken for these."""

Progress = Callable[[str, int, int], None]
"""(what is under way, parts done, parts)."""


@dataclass(frozen=True)
class PictureReport:
    """What became of a shop's pictures.

    Attributes:
        used: pictures with a vector.
        items: items with one.
        encoded: contents encoded now, the others were kept from earlier builds.
        groups: groups of nearly identical pictures; grouped: items in them.
        refused: reason → pictures and photos that cannot be used.
        photos: how photos chose the space; None where there are too few.
        received: pictures that arrived while the shop was open; deleted: pictures of files that were deleted
            meanwhile; foreign: pictures that arrived, and another encoder encoded.
        head: names categories; None where too few pictures taught it.
    """

    used: int
    items: int
    encoded: int
    groups: int
    grouped: int
    refused: dict[str, int]
    photos: PhotoFit | None = None
    received: int = 0
    deleted: int = 0
    foreign: int = 0
    head: CategoryHead | None = None


def open_cache(folder: Path, encoder: Encoder) -> FeatureCache:
    """The features by content that this encoder made.

    Raises StorageError where the folder cannot be opened.
    """
    return FeatureCache(folder, f"{encoder.name} {encoder.side} {_PREPARATION}", FEATURES)


def build_pictures(
    items: pl.DataFrame,
    size: int,
    data: Path | None,
    cache_folder: Path,
    folder: Path,
    encoder: Encoder,
    settings: PictureSettings,
    seed: int,
    progress: Progress,
    photos: pl.DataFrame | None = None,
    received: Received = NOTHING_RECEIVED,
    categories: NDArray[np.int32] | None = None,
    objects: ObjectHead | None = None,
) -> PictureReport:
    """Writes the items' pictures (`recall.item_pictures`) into `folder`, which exists.

    Args:
        items: item int32 (1…N), `image`.
        size: N.
        data: the folder that paths in `image` start at; None where there is none.
        cache_folder: features by content, kept between builds.
        folder: where to write.
        encoder: makes features of pictures.
        settings: which pictures, and how they are compared.
        seed: of what is drawn.
        progress: told how far it is.
        photos: photos of items, as `items`; None where there are none.
        received: what arrived and was deleted while the shop was open.
        categories: int32[N + 1], of the items, that are learned to be named; None = none are.
        objects: finds things in photos, for what is written.

    Returns:
        What became of the pictures. Nothing is written where none can be used.

    Raises:
        ValueError: the column is of a type that holds neither paths nor bytes.
        StorageError: the cache cannot be opened or written.
    """
    sent = items.clear() if photos is None else photos
    total = count_pictures(items, settings.per_item) + count_pictures(sent, settings.per_item)
    cache = open_cache(cache_folder, encoder)
    try:
        encoded, taken = (
            encode_pictures(
                item_pictures(table, data, settings.per_item, settings.limits),
                encoder,
                cache,
                settings.limits,
                settings.batch,
                lambda done, before=before: progress("encoding", before + done, total),  # type: ignore[misc]
            )
            for table, before in ((items, 0), (sent, total - count_pictures(sent, settings.per_item)))
        )
    finally:
        cache.close()
    refused = dict((encoded.refused + taken.refused).most_common())
    folded = fold(encoded, received, cache.maker)
    encoded = folded.pictures
    if not len(encoded.items):
        return PictureReport(0, 0, encoded.encoded, 0, 0, refused)
    progress("comparing", total, total)
    weighted, photo_looks = (_weighted_looks(each, settings.colour_weight) for each in (encoded, taken))
    fitted = _fitted(Labelled(encoded.items, weighted), Labelled(taken.items, photo_looks), settings, seed)
    space = fit_space(weighted, settings.dimensions, seed) if fitted is None else fitted.space
    vectors = space.project(weighted)
    space = of_unweighted_looks(space, encoded.features.shape[1], settings.colour_weight)
    space = replace(space, encoder=cache.maker)
    groups = near_identical(encoded, size, settings)
    head = (
        None
        if categories is None
        else fit_category_head(encoded.items, encoded.features, vectors, categories, seed)
    )
    revision = received.revision
    ItemPictures(encoded.items, vectors, space, groups, encoded.contents, revision, head, objects).save(
        folder
    )
    return PictureReport(
        len(encoded.items),
        len(np.unique(encoded.items)),
        encoded.encoded,
        int(groups.max(initial=0)),
        int(np.count_nonzero(groups)),
        refused,
        fitted,
        folded.put,
        folded.deleted,
        folded.foreign,
        head,
    )


def _weighted_looks(pictures: EncodedPictures, weight: float) -> NDArray[np.float32]:
    """float32[P, F + C]; C = 0 where colours weigh nothing."""
    return make_looks(pictures.features, pictures.copies, COLOURS if weight else 0, weight)


def _fitted(catalogue: Labelled, photos: Labelled, settings: PictureSettings, seed: int) -> PhotoFit | None:
    """The space by photos of items that have a usable picture; None where there are too few."""
    known = np.flatnonzero(np.isin(photos.items, catalogue.items))
    if len(known) < settings.least_photos or len(np.unique(catalogue.items)) < _LEAST_ITEMS:
        return None
    return fit_by_photos(catalogue, photos.take(known), settings.dimensions, seed)
