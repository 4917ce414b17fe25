"""Which standard category each item belongs to: named by the shop, or found by who takes from it. Offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recall.category_clusters import category_vectors, clusters
from recall.channel import BuildSource
from recall.standard_category_settings import StandardCategorySettings
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IMPRESSION

Int32 = NDArray[np.int32]
Level = tuple[Int32, list[str]]
"""int32[N + 1], the code of each item, and the names of codes 1…count."""


def two_levels(source: BuildSource, settings: StandardCategorySettings) -> tuple[Level, Level]:
    """The finer and the coarser level of each item of the source's catalogue.

    What the shop names comes first: two levels of `standard_category` ("coarse > fine"); else one, above the
    leaf categories; else the upper levels of the leaf categories' paths. A level that is missing, or has more
    categories than `settings` allow, is put together by who takes from what.
    """
    named_fine, named_coarse = _named(source.catalogue, settings.separator)
    fine = _limited(named_fine, named_coarse, settings.fine_count, source, settings)
    if named_coarse is None:
        everything: Level = ((fine[0] > 0).astype(np.int32), ["all"])
        coarse = _limited(fine, everything, settings.coarse_count, source, settings)
    else:
        coarse = named_coarse
    return fine, _covering(fine, coarse)


def _named(catalogue: Catalogue, separator: str) -> tuple[Level, Level | None]:
    """The finest level that is named above or at the leaf categories, and the one above it, None = none."""
    leaf_names = catalogue.names("category", np.arange(1, catalogue.category_count + 1))
    standard = catalogue.standard_category
    standard_names = catalogue.names(
        "standard_category", np.arange(1, catalogue.code_count("standard_category") + 1)
    )
    paths = [_path(name, separator) for name in standard_names]
    if standard.any() and any(len(path) > 1 for path in paths):
        return (
            _filled(_renamed(standard, [" > ".join(path) for path in paths]), catalogue),
            _filled(_renamed(standard, [path[0] for path in paths]), catalogue),
        )
    leaves = _renamed(catalogue.category, leaf_names)
    if standard.any():
        return _filled(leaves, catalogue), _filled(_renamed(standard, standard_names), catalogue)
    paths = [_path(name, separator) for name in leaf_names]
    if any(len(path) > 1 for path in paths):
        upper = [" > ".join(path[: max(1, min(2, len(path) - 1))]) for path in paths]
        return _renamed(catalogue.category, upper), _renamed(catalogue.category, [path[0] for path in paths])
    return leaves, None


def _path(name: str, separator: str) -> list[str]:
    parts = [part.strip() for part in name.split(separator)]
    return [part for part in parts if part] or [name]


def _renamed(codes: Int32, names: Sequence[str]) -> Level:
    """The same groups under new names; groups of one name become one."""
    distinct = sorted(set(names))
    position = {name: code for code, name in enumerate(distinct, start=1)}
    table = np.array([0, *(position[name] for name in names)], np.int32)
    return table[codes], distinct


def _filled(level: Level, catalogue: Catalogue) -> Level:
    """An item without a code takes that of most items of its leaf category, where there is one."""
    codes, names = level
    leaf = catalogue.category
    known = (codes > 0) & (leaf > 0)
    pairs, counts = np.unique(np.stack((leaf[known], codes[known])), axis=1, return_counts=True)
    commonest = np.zeros(catalogue.category_count + 1, np.int32)
    order = np.argsort(counts, kind="stable")
    commonest[pairs[0][order]] = pairs[1][order]
    return np.where(codes > 0, codes, commonest[leaf]).astype(np.int32), names


def _limited(
    level: Level, above: Level | None, limit: int, source: BuildSource, settings: StandardCategorySettings
) -> Level:
    """The level with at most about `limit` categories; none of them crosses a category of `above`."""
    codes, names = level
    if len(names) <= limit:
        return level
    event, item = source.events["event"].to_numpy(), source.events["item"].to_numpy()
    used = (event != IMPRESSION) & (source.events["ts"].to_numpy() <= source.now)
    user = source.events["user"].to_numpy()[used]
    taken = codes[item[used]]
    vectors, weight = category_vectors(user, taken, len(names), settings.dimensions, source.seed)
    parent = np.zeros(len(names) + 1, np.int32)
    if above is not None:
        parent[codes] = above[0]
    group = clusters(vectors, weight, parent[1:], limit, source.seed)
    # A group is named by the category of it that is taken most.
    order = np.argsort(weight, kind="stable")
    label = np.zeros(int(group.max(initial=0)) + 1, np.int64)
    label[group[order]] = order
    return _renamed(codes, [names[label[each]] for each in group])


def _covering(fine: Level, coarse: Level) -> Level:
    """The coarse level such that each fine category lies in one coarse one: that of most of its items."""
    counted, counts = np.unique(np.stack((fine[0], coarse[0])), axis=1, return_counts=True)
    above = np.zeros(len(fine[1]) + 1, np.int32)
    order = np.argsort(np.where(counted[1] > 0, counts, 0), kind="stable")
    above[counted[0][order]] = counted[1][order]
    codes = above[fine[0]]
    codes[fine[0] == 0] = 0
    return codes.astype(np.int32), coarse[1]
