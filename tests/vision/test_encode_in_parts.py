"""Pictures encoded in ranges of items are those encoded one after the other, to the bit."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from models.picture_encoder import NAME as ENCODER
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.ray_cluster import connected
from shopfront.cluster.settings import JobSettings
from shopfront.picture_step import FEATURES_FOLDER
from snapshot.dataset import ITEMS_NAME
from snapshot.partition_work import PartitionWork
from testing.divided_work import DividedWork
from testing.ray_nodes import KilledDuring, three_nodes
from tests.vision.conftest import PICTURED, settings_of
from tests.vision.picture_shop import PictureShop
from triton_repo.manifest import read_manifest
from vision.build_pictures import open_cache
from vision.encode_in_parts import EncodingOrder, encode_in_parts
from vision.encoder import GraphEncoder
from vision.feature_cache import FeatureCache

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def order_of(shop: PictureShop) -> EncodingOrder:
    version = shop.repository.version_folder(ENCODER, 1)
    name = f"{ENCODER} {read_manifest(version).checkpoint_sha256}"
    return EncodingOrder(
        shop.dataset.path / ITEMS_NAME,
        shop.data,
        partial(GraphEncoder, version, name, 1),
        settings_of(shop.workspace).pictures,
    )


def records(cache: FeatureCache) -> dict[bytes, bytes]:
    return {key: record.tobytes() for key, record in cache.read(cache.keys()).items()}


def encoded(shop: PictureShop, folder: Path, work: PartitionWork) -> tuple[int, dict[bytes, bytes]]:
    """What is encoded in parts into a fresh cache."""
    order = order_of(shop)
    with closing(open_cache(folder, order.encoder())) as cache:
        made = encode_in_parts(shop.dataset.catalogue.size, order, cache, work)
        assert encode_in_parts(shop.dataset.catalogue.size, order, cache, work) == 0
        return made, records(cache)


def encoded_at_once(shop: PictureShop) -> dict[bytes, bytes]:
    """What the build of the shop has in its cache."""
    encoder = order_of(shop).encoder()
    with closing(open_cache(shop.workspace.pictures / FEATURES_FOLDER, encoder)) as cache:
        return records(cache)


def test_ranges_encode_what_a_build_encodes(picture_shop: PictureShop, tmp_path: Path) -> None:
    made, found = encoded(picture_shop, tmp_path / "features", DividedWork(3))
    assert found == encoded_at_once(picture_shop)
    assert made == len(found) == PICTURED - 5


@pytest.mark.faults
def test_a_node_killed_while_pictures_are_encoded_changes_nothing(
    picture_shop: PictureShop, tmp_path: Path
) -> None:
    with three_nodes() as nodes, connected(JobSettings(address=nodes.address, parts=4)) as cluster:
        encoded(picture_shop, tmp_path / "warm", work_of(cluster, None, tmp_path / "before", lambda *_: None))
        killed = KilledDuring(nodes, "pictures")
        work = work_of(cluster, None, tmp_path / "jobs", killed)
        _, found = encoded(picture_shop, tmp_path / "features", work)
    assert killed.killed_at is not None
    assert found == encoded_at_once(picture_shop)
