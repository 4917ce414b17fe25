"""Ranking in parts over gRPC: side by side, one version, a lost part alone, and a server that hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from foundation.telemetry.call_context import CURRENT_CALL, CallContext
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline import runner
from pipeline.plan import ChannelSlot, Page, Pipeline, Prerank, Ranking
from pipeline.scoring import WHOLE, Split
from pipeline.stages import Model
from recall.query import Query
from router.ranking.circuit_breaker import CircuitBreaker
from router.ranking.circuit_metrics import CircuitMetrics
from router.ranking.model_scorer import ModelColumn
from router.ranking.settings import BreakerSettings, TritonClientSettings
from router.ranking.triton_client import TritonClient
from router.ranking.triton_scorer import TritonScorer
from testing.frozen_processes import frozen
from testing.triton_models import ITEMS
from testing.triton_server import tiny_triton
from tests.pipeline.stand_ins import FirstComeFusion, FixedChannel
from tests.router.ranking.inference_server import inference_server
from tests.router.ranking.queries import query
from triton_repo.server import TritonServer

PATIENT_MS = 5_000.0
NO_BREAKER = BreakerSettings(timeouts=0)


@dataclass
class Ranker:
    """A pipeline that recalls 1…items and ranks by the model at a url."""

    client: TritonClient
    settings: TritonClientSettings
    metrics: ProcessMetrics

    async def page(
        self,
        split: Split = WHOLE,
        timeout_ms: float = PATIENT_MS,
        items: int = 12,
        asked: Query | None = None,
        prerank: Prerank[Query] | None = None,
        keep: int = 300,
    ) -> Page:
        pipeline: Pipeline[Query] = Pipeline(
            name="home",
            channels=(ChannelSlot(FixedChannel("a", range(1, items + 1)), items, PATIENT_MS),),
            fusion=FirstComeFusion(),
            prerank=prerank,
            ranking=Ranking(ModelColumn(TritonScorer(self.client, self.settings)), timeout_ms, split),
            candidates=keep,
        )
        return await runner.run(
            pipeline, asked or query(), min(items, keep), time.monotonic() + 60, time.monotonic
        )


@asynccontextmanager
async def ranker(url: str, breaker: BreakerSettings = NO_BREAKER) -> AsyncIterator[Ranker]:
    metrics = ProcessMetrics()
    # With a size of parts none of them waits for another.
    settings = TritonClientSettings(
        url=url, score_timeout_ms=PATIENT_MS, reconnect_ms=50, breaker=breaker, part_size=1
    )
    client = TritonClient(settings, CircuitBreaker(breaker, report=metrics.group(CircuitMetrics).observe))
    try:
        yield Ranker(client, settings, metrics)
    finally:
        await client.close()


def ranking_detail(page: Page) -> str:
    return next(record.detail for record in page.trace if record.stage == "ranking")


async def test_parts_are_sent_together_by_one_version_and_give_one_order() -> None:
    async with inference_server() as server, ranker(server.url) as ranks:
        page = await ranks.page(Split(3, 8), asked=query(version="7"))
    assert page.items.items.tolist() == list(range(12, 0, -1))
    assert page.items.score.tolist() == list(range(12, 0, -1))
    assert page.degraded == ()
    assert page.model == Model("bst", "7")
    assert sorted(server.asked) == [("bst", "7", [part, part + 4, part + 8]) for part in (1, 2, 3, 4)]
    assert server.at_once == 4


async def test_a_part_that_fails_is_lost_alone() -> None:
    async with inference_server(fails={2}) as server, ranker(server.url) as ranks:
        page = await ranks.page(Split(3, 8))
    assert page.items.items.tolist() == [12, 2, 11, 9, 8, 6, 7, 5, 4, 10, 3, 1]
    assert page.degraded == ("ranking:partial",)
    assert "3 of 12 candidates not scored; part 2 of 4: bst version 1" in ranking_detail(page)
    assert "failed with INTERNAL: out of memory" in ranking_detail(page)


@pytest.mark.slow
async def test_a_part_that_hangs_is_cancelled_on_the_server_and_the_others_count() -> None:
    async with inference_server(hangs={9}) as server, ranker(server.url) as ranks:
        page = await ranks.page(Split(3, 8), timeout_ms=1_000.0)
        await until(lambda: server.cancelled == [[1, 5, 9]])
        again = await ranks.page(Split(3, 8), timeout_ms=1_000.0)
    assert page.items.items.tolist() == [1, 12, 11, 10, 5, 8, 7, 6, 9, 4, 3, 2]
    assert page.degraded == again.degraded == ("ranking:partial",)
    assert ranking_detail(page) == "3 of 12 candidates not scored; part 1 of 4: its deadline passed"
    assert page.model == Model("bst", "1")


async def test_all_parts_lost_is_a_lost_ranking() -> None:
    async with inference_server(fails={1, 2, 3, 4}) as server, ranker(server.url) as ranks:
        page = await ranks.page(Split(3, 8))
    assert page.items.items.tolist() == list(range(1, 13))
    assert page.degraded == ("ranking",)
    assert page.model == ("", "")


async def test_prerank_by_its_own_model_narrows_what_ranking_is_sent() -> None:
    async with inference_server() as server, ranker(server.url) as ranks:
        light = ModelColumn(TritonScorer(ranks.client, ranks.settings, ranks.settings.prerank_model))
        prerank = Prerank(Ranking(light, PATIENT_MS), 12)
        asked = replace(query(), model_versions={"bst": "4", "prerank": "2"})
        page = await ranks.page(asked=asked, prerank=prerank, keep=3)
        assert server.asked == [("prerank", "2", list(range(1, 13))), ("bst", "4", [12, 11, 10])]
        server.asked.clear()
        unnamed = await ranks.page(asked=query(version="4"), prerank=prerank, keep=3)
    assert page.degraded == ()
    assert page.items.items.tolist() == [12, 11, 10]
    assert unnamed.degraded == ("prerank",)
    assert unnamed.items.items.tolist() == [3, 2, 1]
    assert server.asked == [("bst", "4", [1, 2, 3])]
    record = next(record for record in unnamed.trace if record.stage == "prerank")
    assert record.detail == "the snapshot names no version of prerank; train and publish one"


@pytest.mark.slow
async def test_a_server_that_hangs_is_not_waited_for_by_every_request() -> None:
    breaker = BreakerSettings(timeouts=3, window_s=600.0, patience_ms=10.0, open_s=1.0)
    async with inference_server(frozen=True) as server, ranker(server.url, breaker) as ranks:
        for _ in range(3):
            page = await ranks.page(timeout_ms=100.0)
            assert ranking_detail(page) == "its deadline passed"
        asked = len(server.asked)
        refused = [await ranks.page(timeout_ms=60_000.0) for _ in range(20)]
        assert "is not asked, since its last calls went unanswered" in ranking_detail(refused[0])
        assert len(server.asked) == asked
        assert {page.degraded for page in refused} == {("ranking",)}
        assert refused[0].items.items.tolist() == list(range(1, 13))
        server.frozen = False
        await until_whole(lambda: ranks.page())
        counted = {
            key: child._value.get() for key, child in ranks.metrics.group(CircuitMetrics).circuits.items()
        }
    assert counted[("bst", "opened")] == counted[("bst", "closed")] == 1
    assert counted[("bst", "refused")] >= 20


async def test_the_parts_of_one_request_that_are_late_together_count_once() -> None:
    breaker = BreakerSettings(timeouts=2, window_s=600.0, patience_ms=10.0, open_s=60.0)
    details = []
    async with inference_server(frozen=True) as server, ranker(server.url, breaker) as ranks:
        for request_id in ("one", "two", "three"):
            token = CURRENT_CALL.set(CallContext(request_id, None))
            try:
                details.append(ranking_detail(await ranks.page(Split(3, 8), timeout_ms=60.0)))
            finally:
                CURRENT_CALL.reset(token)
    assert all("part 4 of 4: its deadline passed" in detail for detail in details[:2])
    assert "part 4 of 4: bst version 1 is not asked" in details[2]


@pytest.mark.slow
@pytest.mark.parametrize("parts", [2, 5])
async def test_parts_of_a_real_triton_score_as_one_call(triton: TritonServer, parts: int) -> None:
    async with ranker(triton.grpc_url) as ranks:
        whole = await ranks.page(items=ITEMS)
        split = await ranks.page(Split(ITEMS // parts, parts), items=ITEMS)
    assert whole.degraded == split.degraded == ()
    np.testing.assert_array_equal(split.items.items, whole.items.items)
    np.testing.assert_array_equal(split.items.score, whole.items.score)


@pytest.mark.slow
async def test_a_triton_that_hangs_opens_the_circuit_and_scores_when_it_goes_on(tmp_path: Path) -> None:
    breaker = BreakerSettings(timeouts=3, window_s=600.0, patience_ms=10.0, open_s=0.3)
    with tiny_triton(tmp_path) as server:
        async with ranker(server.grpc_url, breaker) as ranks:
            before = await until_whole(lambda: ranks.page(Split(3, 4)))
            assert server.pid is not None
            with frozen([server.pid]):
                lost = await ranks.page(Split(3, 4), timeout_ms=100.0)
                refused = await ranks.page(Split(3, 4), timeout_ms=60_000.0)
            after = await until_whole(lambda: ranks.page(Split(3, 4)))
    assert lost.degraded == refused.degraded == ("ranking",)
    assert "part 4 of 4: bst version 1 is not asked" in ranking_detail(refused)
    np.testing.assert_array_equal(after.items.items, before.items.items)
    np.testing.assert_array_equal(after.items.score, before.items.score)


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def until_whole(ask: Callable[[], object]) -> Page:
    deadline = time.monotonic() + 20
    while (page := await ask()).degraded:  # type: ignore[misc]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return page
