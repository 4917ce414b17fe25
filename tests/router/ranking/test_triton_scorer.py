"""The scorer and the interests against a real Triton, and against servers that misbehave."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent import futures
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from features.history import encode_history
from pipeline.stages import NO_MODEL, DependencyError, Model
from recall.channel import ModelCall
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from router.ranking.model_calls import TritonModelCalls
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient
from router.ranking.triton_scorer import TritonScorer
from testing.frozen_processes import frozen
from testing.triton_models import bst_scores, mind_interests
from testing.triton_server import OUTPUTS, tiny_triton
from tests.router.ranking.queries import candidates, query
from triton_repo.local_graphs import LocalGraphs
from triton_repo.server import TritonServer


@asynccontextmanager
async def ranking(
    url: str, local: LocalGraphs | None = None, answers_kept: int = 0
) -> AsyncIterator[tuple[TritonScorer, ModelCall]]:
    settings = TritonClientSettings(
        url=url,
        score_timeout_ms=2000,
        interests_timeout_ms=2000,
        reconnect_ms=50,
        answers_kept=answers_kept,
    )
    client = TritonClient(settings, local=local)
    try:
        yield TritonScorer(client, settings), TritonModelCalls(client, settings).model("mind")
    finally:
        await client.close()


def expected_history(asked: Query) -> dict[str, np.ndarray]:
    item, event, age = encode_history(asked.history_items, asked.history_events, asked.history_ts, asked.now)
    return {"history_item": item[None], "history_event": event[None], "history_age": age[None]}


@pytest.mark.slow
@pytest.mark.parametrize(("history", "count"), [(0, 1), (3, 300), (200, 1000)])
async def test_scores_are_the_models(triton: TritonServer, history: int, count: int) -> None:
    asked, among = query(history), candidates(count)
    async with ranking(triton.grpc_url) as (scorer, _):
        scores = await scorer.score(asked, among)
    feeds = {
        **expected_history(asked),
        "profile": asked.profile_codes[None],
        "context": asked.context_codes[None],
        "candidate_item": among.items,
        "candidate_row": np.zeros(count, np.int32),
    }
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, bst_scores(1, feeds), rtol=0, atol=1e-6)
    assert scorer.model(asked) == Model("bst", "1")


@pytest.mark.slow
@pytest.mark.parametrize("history", [0, 4])
async def test_interests_are_the_models(triton: TritonServer, history: int) -> None:
    asked = query(history)
    async with ranking(triton.grpc_url) as (_, interests):
        vectors = (await interests(asked, expected_history(asked)))["interests"][0]
    np.testing.assert_allclose(vectors, mind_interests(1, expected_history(asked))[0], rtol=0, atol=1e-6)
    assert bool(vectors.any()) == (history > 0)


@pytest.mark.slow
async def test_concurrent_requests_get_their_own_answers(triton: TritonServer) -> None:
    async with ranking(triton.grpc_url) as (scorer, interests):
        asked = [query(5, seed=seed) for seed in range(40)]
        among = [candidates(20 + seed, seed) for seed in range(40)]
        alone = [await scorer.score(q, c) for q, c in zip(asked, among, strict=True)]
        together = await asyncio.gather(
            *(scorer.score(q, c) for q, c in zip(asked, among, strict=True)),
            *(interests(q, expected_history(q)) for q in asked),
        )
    for one, other in zip(alone, together, strict=False):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
async def test_a_replica_that_runs_the_graphs_itself_answers_the_same_to_the_byte(
    triton: TritonServer,
) -> None:
    local = LocalGraphs(triton.repository.models_folder, OUTPUTS, 2**20)
    asked, among = [query(9, seed=seed) for seed in range(5)], candidates(300)
    async with ranking(triton.grpc_url) as (scorer, interests):
        scores = [await scorer.score(each, among) for each in asked]
        vectors = [(await interests(each, expected_history(each)))["interests"] for each in asked]
    # At this address nobody answers.
    async with ranking("127.0.0.1:1", local) as (scorer, interests):
        await local.prepare(dict.fromkeys(OUTPUTS, "1"))
        for each, score, vector in zip(asked, scores, vectors, strict=True):
            np.testing.assert_array_equal(await scorer.score(each, among), score)
            found = (await interests(each, expected_history(each)))["interests"]
            np.testing.assert_array_equal(found, vector)
        # A version on trial may end the process that runs it.
        ticket = RolloutTicket("r1", "candidate", "bst", 3, 1, 0, True)
        with pytest.raises(DependencyError, match="not reachable"):
            await scorer.score(replace(asked[0], rollout=ticket), among)


@pytest.mark.slow
async def test_a_version_that_is_not_served_is_named(triton: TritonServer) -> None:
    async with ranking(triton.grpc_url) as (scorer, interests):
        with pytest.raises(DependencyError, match=r"bst version 7 on Triton at .* is not served"):
            await scorer.score(query(version="7"), candidates(5))
        with pytest.raises(DependencyError, match=r"mind version 7 on Triton at .* is not served"):
            await interests(query(version="7"), expected_history(query(version="7")))


async def test_a_snapshot_without_models_is_not_asked_for() -> None:
    async with ranking("127.0.0.1:1") as (scorer, interests):
        with pytest.raises(DependencyError, match="names no version of bst"):
            await scorer.score(query(version=""), candidates(5))
        with pytest.raises(DependencyError, match="names no version of mind"):
            await interests(query(version=""), expected_history(query(version="")))
        assert scorer.model(query(version="")) == NO_MODEL


async def test_nothing_to_score_asks_nobody() -> None:
    async with ranking("127.0.0.1:1") as (scorer, _):
        assert (await scorer.score(query(), candidates(0))).shape == (0,)


@pytest.mark.slow
async def test_scoring_resumes_by_itself_after_the_server_was_killed(tmp_path: Path) -> None:
    with tiny_triton(tmp_path) as server:
        async with ranking(server.grpc_url) as (scorer, _):
            asked, among = query(), candidates(50)
            before = await scorer.score(asked, among)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.to_thread(_until_dead, server)
            # Every call while it is down fails, and none of them waits for it.
            for _ in range(20):
                with pytest.raises(DependencyError, match="not reachable"):
                    await asyncio.wait_for(scorer.score(asked, among, timeout_s=60), timeout=30)
            await asyncio.to_thread(server.start)
            after = await _until_answered(lambda: scorer.score(asked, among))
    np.testing.assert_array_equal(before, after)


@pytest.mark.slow
async def test_a_frozen_server_costs_no_more_than_the_timeout(tmp_path: Path) -> None:
    with tiny_triton(tmp_path) as server:
        async with ranking(server.grpc_url) as (scorer, _):
            asked, among = query(), candidates(50)
            before = await scorer.score(asked, among)
            assert server.pid is not None
            with (
                frozen([server.pid]),
                pytest.raises(DependencyError, match="did not answer within 50 ms"),
            ):
                await scorer.score(asked, among, timeout_s=0.05)
            np.testing.assert_array_equal(await scorer.score(asked, among), before)


@pytest.mark.slow
async def test_a_cancelled_call_leaves_the_channel_usable(triton: TritonServer) -> None:
    async with ranking(triton.grpc_url) as (scorer, _):
        asked, among = query(), candidates(1000)
        calls = [asyncio.ensure_future(scorer.score(asked, among)) for _ in range(10)]
        await asyncio.sleep(0)
        for call in calls[:5]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[:5])
    assert all(isinstance(result, np.ndarray) for result in results[5:])


class _Misbehaving(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers every request with a prepared response."""

    def __init__(self, response: service_pb2.ModelInferResponse) -> None:
        self.response = response

    def ModelInfer(self, request: object, context: grpc.ServicerContext) -> service_pb2.ModelInferResponse:
        return self.response


def _answer(name: str, datatype: str, values: np.ndarray) -> service_pb2.ModelInferResponse:
    response = service_pb2.ModelInferResponse(model_name="bst", model_version="1")
    response.outputs.add(name=name, datatype=datatype, shape=values.shape)
    response.raw_output_contents.append(values.tobytes())
    return response


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (_answer("rank", "FP32", np.zeros(5, np.float32)), "without the output score"),
        (_answer("score", "FP64", np.zeros(5)), "answered score as FP64"),
        (_answer("score", "FP32", np.zeros(4, np.float32)), r"answered \[4\] scores for 5 candidates"),
    ],
)
async def test_an_answer_out_of_contract_is_a_failed_dependency(
    response: service_pb2.ModelInferResponse, complaint: str
) -> None:
    async with _serving(response) as url, ranking(url) as (scorer, _):
        with pytest.raises(DependencyError, match=complaint):
            await scorer.score(query(), candidates(5))


async def test_nan_scores_are_passed_through() -> None:
    values = np.array([0.5, np.nan, 0.1], np.float32)
    async with _serving(_answer("score", "FP32", values)) as url, ranking(url) as (scorer, _):
        np.testing.assert_array_equal(await scorer.score(query(), candidates(3)), values)


async def test_inputs_of_another_dtype_are_a_bug_not_an_outage() -> None:
    client = TritonClient(TritonClientSettings(url="127.0.0.1:1"))
    with pytest.raises(
        TypeError, match=r"candidate_item of bst is int64\[3\], its registration declares int32\[n\]"
    ):
        await client.infer("bst", "1", {"candidate_item": np.zeros(3, np.int64)}, ("score",), 1.0)


@asynccontextmanager
async def _serving(response: service_pb2.ModelInferResponse) -> AsyncIterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Misbehaving(response), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


def _until_dead(server: TritonServer) -> None:
    while server.running:
        time.sleep(0.01)


async def _until_answered(ask: Callable[[], object]) -> object:
    deadline = time.monotonic() + 20
    while True:
        try:
            return await ask()  # type: ignore[misc]
        except DependencyError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
