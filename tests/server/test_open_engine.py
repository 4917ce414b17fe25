"""A router that starts serves the newest snapshot it can open, and tells the published one's fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.metrics import NoMetrics
from recall.channel import Services
from recall.settings import RecallSettings
from router.engine.engine import EngineBuilder
from server.composition.engine import open_engine
from snapshot.manifest import SnapshotError
from testing.served_shop import make_shop
from tests.router.engine.conftest import PopularityScorer, embed, read

pytestmark = pytest.mark.slow


async def test_one_that_lacks_a_channel_gives_way_to_the_one_before(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    (before,) = shop.snapshots.ids()
    without = shop.publish(recall=RecallSettings.model_validate({"hot": {"enabled": False}}))
    builder = EngineBuilder(
        RecallSettings(), Services(lambda model: embed), {"bst": PopularityScorer()}, NoMetrics()
    )
    live, unusable = await open_engine(builder, shop.snapshots, read(shop))
    assert live.current.snapshot_id == before
    assert unusable is not None
    assert unusable.id == without
    assert "hot" in str(unusable.fault.folder)
    shop.snapshots.publish(before)
    assert (await open_engine(builder, shop.snapshots, read(shop)))[1] is None
    # Where no other serves, the fault of the published one is told.
    shop.snapshots.publish(without)
    for file in (shop.snapshots.root / before / "catalogue").iterdir():
        file.unlink()
    with pytest.raises(SnapshotError, match="hot"):
        await open_engine(builder, shop.snapshots, read(shop))
