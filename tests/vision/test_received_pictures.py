"""What arrived and was deleted while the shop was open, in the next build."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recall.item_pictures import ItemPictures
from shopfront import picture_step
from shopfront.progress import Progress
from snapshot.item_keys import item_keys
from state import StateSettings, open_state
from state.picture_changes import ALL_CONTENTS, PictureChange
from tests.vision.conftest import settings_of
from tests.vision.picture_shop import PictureShop
from vision.encode_pictures import EncodedPictures
from vision.picture_records import COPY_BYTES, content_numbers, encode_record
from vision.received_pictures import Received, fold

MAKER, OTHER = b"encoder1", b"encoder2"


def content(number: int) -> bytes:
    return number.to_bytes(16, "little")


def codes(number: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(32, number, np.uint8), np.full(COPY_BYTES, number, np.uint8)


def record(number: int, maker: bytes = MAKER) -> bytes:
    return encode_record(maker, np.full(4, number, np.float32), *codes(number))


def encoded(pairs: list[tuple[int, int]]) -> EncodedPictures:
    """Pictures of files: (item, content), features all equal to the content's number."""
    numbers = np.array([number for _, number in pairs])
    return EncodedPictures(
        np.array([item for item, _ in pairs], np.int32),
        np.repeat(numbers[:, None], 4, axis=1).astype(np.float32),
        *(np.stack(each) for each in zip(*(codes(number) for number in numbers.tolist()), strict=True)),
        content_numbers([content(number) for _, number in pairs]),
    )


def change(item: int, number: int, kept: bytes | None) -> tuple[int, PictureChange]:
    return item, PictureChange(item, content(number), kept)


def test_changes_are_applied_in_their_order_and_files_do_not_bring_back() -> None:
    files = encoded([(1, 11), (1, 12), (3, 31), (3, 32), (5, 51)])
    changes = (
        change(1, 12, None),
        change(2, 21, record(21)),
        change(3, 0, None),
        change(3, 32, record(32)),
        change(4, 41, record(41)),
        change(4, 41, None),
        change(5, 51, record(51)),
        change(5, 52, record(52, OTHER)),
        change(1, 13, record(13)),
    )
    assert changes[2][1].content == ALL_CONTENTS
    folded = fold(files, Received(changes, 9), MAKER)
    assert list(
        zip(folded.pictures.items.tolist(), folded.pictures.contents[:, 0].tolist(), strict=True)
    ) == [
        (1, 11),
        (1, 13),
        (2, 21),
        (3, 32),
        (5, 51),
    ]
    np.testing.assert_array_equal(folded.pictures.features[:, 0], [11, 13, 21, 32, 51])
    np.testing.assert_array_equal(folded.pictures.structures[:, 0], [11, 13, 21, 32, 51])
    np.testing.assert_array_equal(folded.pictures.copies[:, 0], [11, 13, 21, 32, 51])
    assert (folded.put, folded.deleted, folded.foreign) == (3, 3, 1)
    assert fold(files, Received(), MAKER).pictures is files


COMPACTION = """
import sys
from pathlib import Path
from shopfront import picture_step
from shopfront.progress import Progress
from shopfront.workspace import Workspace
from rich.console import Console
from tests.vision.conftest import settings_of
workspace, dataset = Workspace(Path(sys.argv[1])), sys.argv[2]
data, version = Path(sys.argv[3]), Path(sys.argv[4])
while True:
    print("begin", flush=True)
    quiet = Progress(Console(file=open("/dev/null", "w")))
    print(picture_step.make(workspace, settings_of(workspace), dataset, data, version, quiet), flush=True)
"""


@pytest.mark.slow
def test_a_killed_compaction_loses_and_doubles_nothing(picture_shop: PictureShop) -> None:
    shop, before = picture_shop, picture_shop.pictures
    settings = settings_of(shop.workspace)
    store = open_state(StateSettings(url=settings.router.state.url))
    size, maker = shop.dataset.catalogue.size, before.space.encoder
    ids = shop.dataset.catalogue.item_ids(np.arange(1, size + 1, dtype=np.int32))
    draws = np.random.default_rng(1)
    put = [
        PictureChange(
            int(item_keys([ids[number % size]])[0]),
            content(10_000 + number),
            encode_record(maker, draws.random(before.space.features, np.float32), *codes(number % 256)),
        )
        for number in range(200)
    ]
    assert set(store.pictures.change(put, 100)) == {"stored"}
    gone = shop.dataset.catalogue.item_keys(before.items[:1])[0]
    assert store.pictures.change([PictureChange(int(gone), ALL_CONTENTS, None)], 100) == ["deleted"]
    store.close()
    version = shop.repository.version_folder("picture_encoder", 1)
    command = [
        sys.executable,
        "-c",
        COMPACTION,
        shop.workspace.root,
        shop.dataset.manifest.id,
        shop.data,
        version,
    ]
    random_ = random.Random(2)
    known = set(shop.workspace.pictures.glob("[0-9]*-*"))
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as compacting:
        assert compacting.stdout is not None
        assert compacting.stdout.readline() == "begin\n"
        time.sleep(random_.random() * 0.5)
        os.kill(compacting.pid, signal.SIGKILL)
        compacting.wait()
    # What it may have finished is whole, and the one before is untouched.
    for folder in shop.workspace.pictures.glob("[0-9]*-*"):
        ItemPictures.open(folder)
    assert known <= set(shop.workspace.pictures.glob("[0-9]*-*"))
    quiet = Progress(Console(file=StringIO()))
    try:
        made = picture_step.make(
            shop.workspace, settings, shop.dataset.manifest.id, shop.data, version, quiet
        )
        after = ItemPictures.open(shop.workspace.pictures / made)
        assert after.revision == 201
        pairs = Counter(zip(after.items.tolist(), map(tuple, after.contents.tolist()), strict=True))
        assert set(pairs.values()) == {1}
        dense = shop.dataset.catalogue.dense_from_keys(np.array([each.item for each in put], np.uint64))
        numbers = content_numbers([each.content for each in put]).tolist()
        expected = {
            (int(item), tuple(number))
            for item, number in zip(dense, numbers, strict=True)
            if item != before.items[0]
        }
        files = set(zip(before.items.tolist(), map(tuple, before.contents.tolist()), strict=True))
        assert set(pairs) == expected | {pair for pair in files if pair[0] != before.items[0]}
    finally:
        (Path(settings.router.state.url.removeprefix("lmdb://")) / "data.mdb").unlink()
