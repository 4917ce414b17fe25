"""A scene with prerank, from a request to a real Triton and back; and snapshots that name its model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from models.contracts import contracts
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse, StageTrace
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import SCENES, ServedShop, make_shop
from testing.triton_models import ITEMS, add_tiny_version, item_weights
from testing.triton_server import started
from triton_repo.control import TritonControl, publish_version
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings

KEEP = 20
PRERANK_SEED = 5
PRERANKED = f"""
  wide:
    channels:
      ranki2i: {{share: 0.4, timeout_ms: 2000.0}}
      hot: {{share: 0.6, timeout_ms: 2000.0}}
    candidates: {KEEP}
    prerank: {{candidates: 100, timeout_ms: 2000.0}}
  all:
    channels:
      ranki2i: {{share: 0.4, timeout_ms: 2000.0}}
      hot: {{share: 0.6, timeout_ms: 2000.0}}
    candidates: 100
"""
MODELS = {"bst": 1, "mind": 1, "prerank": 1}


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A Triton with the tiny bst and mind, and a tiny prerank of bst's contract."""
    folder = tmp_path_factory.mktemp("triton")
    repository = ModelRepository(folder / "triton", contracts())
    for model in MODELS:
        add_tiny_version(repository, model, PRERANK_SEED if model == "prerank" else 1)
    settings = TritonSettings(models={model: ModelSettings() for model in MODELS})
    server = TritonServer(repository, folder / "triton.log", settings)
    with started(server):
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> ServedShop:
    """A shop whose snapshot names a version of prerank."""
    made = make_shop(tmp_path)
    made.scenes.write_text(SCENES + PRERANKED)
    made.publish(models=MODELS)
    return made


@pytest.fixture
async def running(shop: ServedShop, triton: TritonServer) -> AsyncIterator[RunningService]:
    """The service over both."""
    started = await start_service(shop.settings(triton.grpc_url))
    yield started
    await started.stop()


async def ask(running: RunningService, scene: str, page_size: int) -> RecommendResponse:
    request = RecommendRequest(scene=scene, user_id="u0001", page_size=page_size, with_trace=True)
    return await running.service.recommend(request, new_call(time.monotonic()))


def weights(running: RunningService, response: RecommendResponse, seed: int) -> np.ndarray:
    """How the tiny prerank of a seed likes each item, up to what is the shopper's and the same for all."""
    items = running.live.current.catalogue.dense([item.item_id for item in response.items])
    return item_weights(seed)[np.where(items <= ITEMS, items, 0)]


def stage(response: RecommendResponse, name: str) -> StageTrace:
    return next(stage for stage in response.trace.stages if stage.stage == name)


@pytest.mark.slow
async def test_the_best_by_prerank_are_ranked_and_a_new_version_is_waited_for(
    running: RunningService, shop: ServedShop, triton: TritonServer
) -> None:
    everything = await ask(running, "all", 100)
    page = await ask(running, "wide", KEEP)
    assert not page.degraded
    assert (page.model_name, page.model_version) == ("bst", "1")
    prerank, ranking = stage(page, "prerank"), stage(page, "ranking")
    assert (prerank.outcome, prerank.count_in, prerank.count_out) == ("ok", len(everything.items), KEEP)
    assert dict(prerank.removed) == {"prerank": len(everything.items) - KEEP}
    assert (ranking.count_in, ranking.outcome) == (KEEP, "ok")
    best = np.sort(weights(running, everything, PRERANK_SEED))[::-1][:KEEP]
    np.testing.assert_array_equal(np.sort(weights(running, page, PRERANK_SEED))[::-1], best)

    # A snapshot that names a version nobody serves waits; it takes over once Triton has it.
    before = running.live.current.snapshot_id
    new = shop.publish(models={**MODELS, "prerank": 2}, seed=2)
    await asyncio.sleep(1.0)
    assert running.live.current.snapshot_id == before
    version = add_tiny_version(triton.repository, "prerank", PRERANK_SEED + 1)
    with TritonControl(triton.grpc_url) as control:
        await asyncio.to_thread(publish_version, control, triton.repository, "prerank", version)
    deadline = time.monotonic() + 20
    while running.live.current.snapshot_id != new:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    everything, page = await ask(running, "all", 100), await ask(running, "wide", KEEP)
    assert not page.degraded
    best = np.sort(weights(running, everything, PRERANK_SEED + 1))[::-1][:KEEP]
    np.testing.assert_array_equal(np.sort(weights(running, page, PRERANK_SEED + 1))[::-1], best)


async def test_a_snapshot_without_prerank_serves_in_recall_order_and_says_so(shop: ServedShop) -> None:
    shop.publish(models={"bst": 1, "mind": 1}, seed=2)
    running = await start_service(shop.settings("127.0.0.1:9"))
    try:
        page = await ask(running, "wide", KEEP)
    finally:
        await running.stop()
    assert len(page.items) == KEEP
    assert list(page.degraded) == ["prerank", "ranking"]
    assert stage(page, "prerank").detail == (
        "the snapshot names no version of prerank; train and publish one"
    )
    assert stage(page, "ranking").count_in == KEEP
