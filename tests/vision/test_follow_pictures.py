"""Following the store: nothing is searched before it is known what was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from foundation.storage.errors import StorageUnavailable
from pipeline.stages import DependencyError
from recall.picture_space import PictureSpace
from recall.similar_look import SimilarLook
from snapshot.manifest import SnapshotError
from state.picture_changes import ALL_CONTENTS, Outcome, PictureChange
from testing.picture_shop import draw
from tests.recall.test_similar_look import open_over
from vision import follow_pictures
from vision.colours import COLOURS
from vision.follow_pictures import PictureFollower
from vision.look import make_looks
from vision.picture_records import COPY_BYTES, encode_record
from vision.same_picture import small_copy

EAST = np.array([1, 0], np.float32)


class Changes:
    """Changes of pictures in memory, or a store that does not answer."""

    def __init__(self, changes: list[PictureChange]) -> None:
        self.changes, self.lost = changes, False

    def change(self, changes: Any, most_per_item: int) -> list[Outcome]:
        raise NotImplementedError

    def since(self, revision: int) -> Iterator[PictureChange]:
        return iter([each for each in self.changes if each.revision > revision])

    def revision(self) -> int:
        if self.lost:
            raise StorageUnavailable("gone")
        return max((each.revision for each in self.changes), default=0)


def engine_of(looks: SimilarLook, path: Path) -> Any:
    return SimpleNamespace(channels={"similar_look": looks}, snapshot=SimpleNamespace(path=path))


def key(looks: SimilarLook, item: int) -> int:
    return int(looks.catalogue.item_keys(np.array([item], np.int32))[0])


async def test_nothing_is_found_before_it_is_known_what_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_pictures, "FEATURES", 2)
    looks = open_over(tmp_path)
    maker = looks.space.encoder
    codes = np.zeros(32, np.uint8), np.zeros(COPY_BYTES, np.uint8)
    record = encode_record(maker, np.array([1, 0.001], np.float32), *codes)
    foreign = encode_record(b"another.", np.array([1, 0], np.float32), *codes)
    store = Changes(
        [
            PictureChange(key(looks, 1), ALL_CONTENTS, None, 1),
            PictureChange(key(looks, 8), bytes([8] * 16), record, 2),
            PictureChange(key(looks, 6), bytes([6] * 16), foreign, 3),
            PictureChange(12345, bytes([1] * 16), record, 4),
        ]
    )
    store.lost = True
    follower, engine = PictureFollower(store, 0.1), engine_of(looks, tmp_path)
    await follower.prepare(engine)
    with pytest.raises(DependencyError, match="not known which pictures were deleted"):
        looks.search(EAST, 3)
    store.lost = False
    await follower.catch_up(engine)
    assert looks.revision == 4
    items, _, _ = looks.search(EAST, 3)
    assert items.tolist() == [8, 5, 3]
    # What was taken up before stays where the store is lost later.
    store.lost = True
    with pytest.raises(StorageUnavailable):
        await follower.catch_up(engine)
    assert looks.search(EAST, 1)[0].tolist() == [8]


async def test_a_snapshot_of_another_encoder_is_refused(tmp_path: Path) -> None:
    looks = open_over(tmp_path)
    with pytest.raises(SnapshotError, match="has pictures of 2 features, the encoder makes 1280"):
        await PictureFollower(Changes([]), 0.1).prepare(engine_of(looks, tmp_path))
    await PictureFollower(Changes([]), 0.1).prepare(SimpleNamespace(channels={}))  # type: ignore[arg-type]


def by_colours(looks: SimilarLook, colours: int) -> None:
    """Compares pictures by their first and last colours alone."""
    matrix = np.zeros((2 + colours, 2), np.float32)
    matrix[2, 0], matrix[-1, 1] = 1, 1
    looks.space = PictureSpace(np.zeros(2 + colours, np.float32), matrix, looks.space.encoder, colours)


async def test_what_is_put_is_compared_by_its_colours_where_the_space_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_pictures, "FEATURES", 2)
    looks = open_over(tmp_path)
    by_colours(looks, COLOURS)
    features = np.array([1, 0], np.float32)
    black = np.zeros(COPY_BYTES, np.uint8)
    black[48 * 48 :] = 128
    copies = {1: black, 8: small_copy(draw(1, 1))}
    changes = [
        PictureChange(
            key(looks, item),
            bytes([item] * 16),
            encode_record(looks.space.encoder, features, np.zeros(32, np.uint8), copy),
            item,
        )
        for item, copy in copies.items()
    ]
    await PictureFollower(Changes(changes), 0.1).prepare(engine_of(looks, tmp_path))
    for item, copy in copies.items():
        vector = looks.vector_of(make_looks(features[None], copy[None], COLOURS)[0])
        found = looks.search(vector, 3)
        assert found.likeness[found.items == item] == pytest.approx(1)
    with pytest.raises(DependencyError, match="looks of 130, this one has 2; build the snapshot again"):
        looks.vector_of(features)


async def test_a_snapshot_of_other_colours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_pictures, "FEATURES", 2)
    looks = open_over(tmp_path)
    by_colours(looks, 64)
    with pytest.raises(SnapshotError, match="has pictures of 64 colours, this program counts 128"):
        await PictureFollower(Changes([]), 0.1).prepare(engine_of(looks, tmp_path))
