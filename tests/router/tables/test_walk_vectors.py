"""The table of vectors of walks: what they say of items, and the rerankers that order by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.candidates import unscored
from recall.channel import BuildSource
from recall.walk_vectors import NAME, WalkVectors, WalkVectorSettings, build, centred, open_table
from router.rerank.diversity import DppSettings, MmrSettings
from router.rerank.registry import RERANKERS
from router.tables.component import Parts
from router.tables.walk_vectors import WALK_VECTORS
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

PURCHASE = 5
SETTINGS = WalkVectorSettings(dimensions=8)


def shop_of_two_kinds(folder: Path) -> BuildSource:
    """Shoppers take of 1 to 6 together, or of 7 to 12; categories cut across; nobody takes 13."""
    catalogue = make_catalogue(folder, [1 + item % 2 for item in range(13)])
    log = []
    for user in range(1, 81):
        first = 1 if user % 2 else 7
        for place, item in enumerate(np.random.default_rng(user).permutation(6)[:4].tolist()):
            log.append((user, first + item, PURCHASE, NOW - user * DAY + place))
    return make_source(catalogue, log)


def test_items_that_are_taken_together_point_the_same_way(tmp_path: Path) -> None:
    source = shop_of_two_kinds(tmp_path)
    assert build(source, tmp_path, SETTINGS) == {"vectors": 13}
    opened = open_table(tmp_path, source.catalogue, SETTINGS)
    found = opened.of(np.arange(14, dtype=np.int32))
    assert found.dtype == np.float32
    assert not found[0].any()
    np.testing.assert_allclose(np.linalg.norm(found[1:], axis=1), 1, atol=2e-3)
    cosine = found @ found.T
    within = np.concatenate(
        [block[np.triu_indices(6, 1)] for block in (cosine[1:7, 1:7], cosine[7:13, 7:13])]
    )
    assert within.mean() > 0.5
    assert cosine[1:7, 7:13].mean() < -0.3


def test_a_shop_without_sessions_of_two_items_has_none(tmp_path: Path) -> None:
    source = make_source(make_catalogue(tmp_path, [1, 2]), [(1, 1, PURCHASE, NOW)])
    assert build(source, tmp_path, SETTINGS) == {"vectors": 0}
    assert not open_table(tmp_path, source.catalogue, SETTINGS).vectors.any()


def test_a_table_of_another_length_is_refused(tmp_path: Path) -> None:
    source = make_source(make_catalogue(tmp_path, [1, 2]), [(1, 1, PURCHASE, NOW)])
    build(source, tmp_path, SETTINGS)
    with pytest.raises(SnapshotError, match="vectors"):
        open_table(tmp_path, source.catalogue, WalkVectorSettings(dimensions=16))


def test_centred_takes_away_what_all_have_in_common() -> None:
    vectors = np.array([[0, 0], [1, 0.1], [1, -0.1], [0, 0]], np.float32)
    np.testing.assert_allclose(centred(vectors), [[0, 0], [0, 1], [0, -1], [0, 0]], atol=1e-6)
    assert not centred(np.zeros((2, 3), np.float32)).any()


@pytest.mark.parametrize("name", ["mmr", "dpp"])
def test_a_reranker_with_vectors_prefers_another_kind_of_shopping(name: str, tmp_path: Path) -> None:
    kind = RERANKERS[name]
    strength: dict[str, Any] = {"mmr": {"tradeoff": 0.3}, "dpp": {"strength": 0.2}}[name]
    vectors = np.array([[0, 0], [1, 0], [1, 0], [0, 1]], np.float16)
    parts = Parts(make_catalogue(tmp_path, [1, 2, 3]), {NAME: WalkVectors(vectors)})
    items = np.array([1, 2, 3], np.int32)
    found = unscored(items, np.ones(3, np.uint32), np.ones(3, np.float32), np.zeros(3, np.int32))
    found = found.with_score(np.array([0.9, 0.8, 0.7], np.float32))
    plain = kind.settings(alike={"category": 0.5}, **strength)
    aware = kind.settings(alike={"category": 0.5}, vectors=0.5, **strength)
    assert plain.needed_tables() == ()
    assert aware.needed_tables() == (WALK_VECTORS,)
    assert kind.create(Parts(parts.catalogue, {}), plain).order(None, found, 2)[:2].tolist() == [0, 1]
    assert kind.create(parts, aware).order(None, found, 2)[:2].tolist() == [0, 2]


@pytest.mark.parametrize("settings", [MmrSettings, DppSettings])
def test_weights_are_in_all_at_most_one(settings: Any) -> None:
    assert settings(alike={"category": 0.33, "brand": 0.33}, vectors=0.34).vectors == 0.34
    with pytest.raises(ValidationError, match="in all at most 1"):
        settings(alike={"category": 0.5, "brand": 0.5}, vectors=0.1)
    with pytest.raises(ValidationError, match="in all at most 1"):
        settings(alike={"category": 1.5})
