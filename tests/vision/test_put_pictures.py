"""Pictures that are put and deleted while the shop is open, over gRPC, through a swap of snapshots."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest

from models.picture_encoder import NAME as ENCODER
from protos.shopfront.v1 import visual_pb2
from recall.item_pictures import ItemPictures
from snapshot.item_keys import item_keys
from state.picture_changes import PictureChange
from testing.picture_shop import draw, jpeg
from tests.vision.conftest import PICTURED, outfits_of
from tests.vision.photos import VERSIONS, Photos, refused
from tests.vision.pictures import BAD, GOOD
from vision.build_pictures import build_pictures
from vision.encoder import GraphEncoder
from vision.received_pictures import received_of
from vision.settings import PictureSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STORED = visual_pb2.PICTURE_OUTCOME_STORED
DELETED = visual_pb2.PICTURE_OUTCOME_DELETED
UNCHANGED = visual_pb2.PICTURE_OUTCOME_UNCHANGED
REFUSED = visual_pb2.PICTURE_OUTCOME_REFUSED


def put(photos: Photos, *pictures: tuple[str, bytes]) -> list[visual_pb2.PictureResult]:
    request = visual_pb2.PutPicturesRequest(
        pictures=[visual_pb2.ItemPicture(item_id=item, image=image) for item, image in pictures]
    )
    return list(photos.stub.PutPictures(request, timeout=60).results)


def delete(photos: Photos, item: str, picture: str = "") -> visual_pb2.PictureResult:
    name = visual_pb2.PictureName(item_id=item, picture_id=picture)
    request = visual_pb2.DeletePicturesRequest(pictures=[name])
    return photos.stub.DeletePictures(request, timeout=20).results[0]


def found(photos: Photos, image: bytes, size: int = 20) -> list[str]:
    page = photos.search(image=image, page_size=size).page
    assert not page.degraded
    return [item.item_id for item in page.items]


@pytest.fixture
def bare(photos: Photos) -> Iterator[list[str]]:
    """Items that a page may show and that no file has a picture of; afterwards they have none again."""
    catalogue = photos.shop.dataset.catalogue
    shown = catalogue.in_stock & ~catalogue.adult
    ids = [f"i{row:04d}" for row in range(PICTURED, photos.shop.dataset.catalogue.size)]
    usable = [id for id in ids if shown[catalogue.dense([id])[0]]]
    yield usable
    for id in usable[:4]:
        delete(photos, id)


def new_picture(seed: int) -> bytes:
    return jpeg(draw(seed % 6, 7_000 + seed), 95)


def test_a_picture_that_is_put_is_found_at_once_and_a_deleted_one_never(
    photos: Photos, bare: list[str]
) -> None:
    item, image = bare[0], new_picture(1)
    assert item not in found(photos, image, 3)
    (result,) = put(photos, (item, image))
    assert (result.outcome, result.item_id, result.item_known, len(result.picture_id)) == (
        STORED,
        item,
        True,
        32,
    )
    page = photos.search(image=image, page_size=3).page
    assert page.items[0].item_id == item
    assert page.items[0].score > 0.99
    assert not photos.search(item_id=item, page_size=3).page.degraded
    (again,) = put(photos, (item, image))
    assert (again.outcome, again.picture_id) == (UNCHANGED, result.picture_id)
    assert found(photos, image).count(item) == 1
    assert delete(photos, item, result.picture_id).outcome == DELETED
    assert delete(photos, item, result.picture_id).outcome == UNCHANGED
    assert item not in found(photos, image)
    assert put(photos, (item, image))[0].outcome == STORED
    assert found(photos, image)[0] == item


def test_a_picture_of_a_file_is_deleted_and_put_again(photos: Photos) -> None:
    catalogue = photos.shop.dataset.catalogue
    row = next(
        row
        for row in range(22, PICTURED - 5)
        if catalogue.in_stock[dense := catalogue.dense([f"i{row:04d}"])[0]] and not catalogue.adult[dense]
    )
    item, image = f"i{row:04d}", photos.picture(row)
    assert found(photos, image)[0] == item
    assert delete(photos, item).outcome == DELETED
    assert item not in found(photos, image)
    assert list(photos.search(item_id=item).page.degraded) == ["anchor_unknown"]
    assert put(photos, (item, image))[0].outcome == STORED
    assert found(photos, image)[0] == item


def test_each_picture_has_its_result_and_its_reason(photos: Photos, bare: list[str]) -> None:
    item = bare[1]
    sent = [(item, content) for _, content in BAD.values()] + [
        (item, GOOD["png"]),
        ("never heard of", GOOD["webp"]),
    ]
    results = put(photos, *sent)
    reasons = [reason for reason, _ in BAD.values()]
    assert [result.reason.partition(":")[0] for result in results[:-2]] == reasons
    assert {result.outcome for result in results[:-2]} == {REFUSED}
    assert [result.outcome for result in results[-2:]] == [STORED, STORED]
    assert [result.item_known for result in results[-2:]] == [True, False]
    delete(photos, "never heard of")
    many = put(photos, *((item, new_picture(100 + number)) for number in range(12)))
    assert [result.outcome for result in many].count(STORED) == 9
    assert many[-1].reason.startswith("too_many: ")


def test_what_is_wrong_with_the_call_is_said(photos: Photos) -> None:
    def refusal(method: str, request: object) -> tuple[grpc.StatusCode, dict[str, str]]:
        with pytest.raises(grpc.RpcError) as error:
            getattr(photos.stub, method)(request, timeout=20)
        return refused(error.value)

    invalid = grpc.StatusCode.INVALID_ARGUMENT
    code, violations = refusal("PutPictures", visual_pb2.PutPicturesRequest())
    assert (code, list(violations)) == (invalid, ["pictures"])
    nameless = visual_pb2.PutPicturesRequest(pictures=[visual_pb2.ItemPicture(image=GOOD["png"])])
    assert list(refusal("PutPictures", nameless)[1]) == ["pictures[0].item_id"]
    crowd = visual_pb2.PutPicturesRequest(pictures=[visual_pb2.ItemPicture(item_id="a")] * 33)
    assert refusal("PutPictures", crowd)[0] == invalid
    for wrong in ("xy", "00" * 16, "ab" * 15):
        name = visual_pb2.PictureName(item_id="a", picture_id=wrong)
        request = visual_pb2.DeletePicturesRequest(pictures=[name])
        assert list(refusal("DeletePictures", request)[1]) == ["pictures[0].picture_id"]


def test_changes_through_another_replica_are_followed(photos: Photos, bare: list[str]) -> None:
    item, image = bare[2], new_picture(2)
    running = photos.ingress.running
    assert running is not None
    put(photos, (item, image))
    features = running.store.pictures.since(0)
    stored = [each for each in features if each.item == int(item_keys([item])[0]) and each.record][-1]
    delete(photos, item)
    assert item not in found(photos, image)
    # As another replica would write it.
    running.store.pictures.change([PictureChange(stored.item, stored.content, stored.record)], 10)
    deadline = time.monotonic() + 60
    while item not in found(photos, image):
        assert time.monotonic() < deadline
    running.store.pictures.change([PictureChange(stored.item, stored.content, None)], 10)
    while item in found(photos, image):
        assert time.monotonic() < deadline


def compacted(photos: Photos, folder: Path) -> ItemPictures:
    """What the next build makes of the files and of what arrived, its objects fitted as before."""
    running = photos.ingress.running
    assert running is not None
    shop = photos.shop
    version = shop.repository.version_folder(ENCODER, 1)
    encoder = GraphEncoder(version, shop_encoder(photos), 1)
    received = received_of(running.store.pictures.since(0), shop.dataset.catalogue)
    folder.mkdir()
    build_pictures(
        shop.dataset.items(),
        shop.dataset.catalogue.size,
        shop.data,
        shop.workspace.pictures / "features",
        folder,
        encoder,
        PictureSettings(),
        0,
        lambda *_: None,
        None,
        received,
    )
    return replace(ItemPictures.open(folder), objects=photos.shop.pictures.objects)


def shop_encoder(photos: Photos) -> str:
    from triton_repo.manifest import read_manifest

    version = photos.shop.repository.version_folder(ENCODER, 1)
    return f"{ENCODER} {read_manifest(version).checkpoint_sha256}"


def test_a_compaction_takes_over_without_a_dropped_request(
    photos: Photos, bare: list[str], tmp_path: Path
) -> None:
    kept, image = bare[0], new_picture(3)
    gone, other = bare[3], new_picture(4)
    put(photos, (kept, image), (gone, other))
    delete(photos, gone)
    before = photos.search(image=image).page.snapshot_id
    ended, wrong, asked = threading.Event(), list[str](), 0

    def ask() -> None:
        nonlocal asked
        while not ended.is_set():
            page = photos.search(image=image, page_size=20).page
            ids = [item.item_id for item in page.items]
            if page.degraded or ids[0] != kept or gone in ids or len(set(ids)) < len(ids):
                wrong.append(f"{page.snapshot_id}: {page.degraded} {ids}")
            asked += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        pictures = compacted(photos, tmp_path / "pictures")
        dense = photos.shop.dataset.catalogue.dense([kept, gone])
        assert (
            np.count_nonzero(pictures.items == dense[0]),
            np.count_nonzero(pictures.items == dense[1]),
        ) == (1, 0)
        # Whole, since tests that follow are served by it.
        photos.served.publish(
            models=VERSIONS,
            pictures=pictures,
            thumbnails=photos.shop.thumbnails,
            outfits=outfits_of(photos.shop.dataset),
        )
        deadline = time.monotonic() + 60
        while photos.search(image=image).page.snapshot_id == before:
            assert time.monotonic() < deadline
        # Deleted out of the new main part, and put into its delta.
        assert delete(photos, bare[1]).outcome in (DELETED, UNCHANGED)
        assert found(photos, image)[0] == kept
        assert gone not in found(photos, other)
    finally:
        ended.set()
        asking.join()
    assert wrong == []
    assert asked > 10
