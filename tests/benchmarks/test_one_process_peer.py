"""The peer that shows the limit answers what the service answers, and the table tells both apart."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from benchmarks.closed_loop import Outcome
from benchmarks.contestants import in_one_process
from benchmarks.end_to_end import Round, summarise
from benchmarks.one_process_peer import OneProcessPlan
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from testing.running_router import in_process
from testing.served_shop import make_shop
from testing.triton_server import tiny_triton


@pytest.mark.slow
def test_the_same_pages_without_triton(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    requests = [RecommendRequest(scene="home", user_id=f"u{number}") for number in range(1, 6)]
    with tiny_triton(tmp_path) as server:
        settings = shop.settings(server.grpc_url)
        with in_process(settings) as served:
            wanted = [served.recommend.Recommend(request) for request in requests]
        models = str(server.repository.models_folder)
    # Triton has ended.
    plan = OneProcessPlan(settings.model_dump(mode="json"), models)
    with in_one_process(plan, tmp_path) as peer, grpc.insecure_channel(peer.address) as channel:
        before_s = peer.cpu_s()
        found = [RecommendServiceStub(channel).Recommend(request, timeout=60) for request in requests]
        assert peer.cpu_s() > before_s
    for one, other in zip(wanted, found, strict=True):
        assert one.model_name == other.model_name == "bst"
        assert [item.item_id for item in one.items] == [item.item_id for item in other.items]
        assert [item.score for item in one.items] == pytest.approx([item.score for item in other.items])
        assert not other.degraded


def test_a_row_holds_medians_and_the_ratio_of_each_turn() -> None:
    def turn(per_second: float, p50_ms: float, cpu_ms: float) -> Round:
        return Round(Outcome(8, 160, {}, {"ranking": 1}, 0, per_second, p50_ms, p50_ms, 2 * p50_ms), cpu_ms)

    rounds = {
        "ours": [turn(100, 10, 8), turn(200, 5, 4), turn(150, 6, 5)],
        "plain": [turn(50, 40, 30), turn(50, 40, 30), turn(50, 30, 30)],
        "limit": [turn(300, 2, 4), turn(300, 2, 3), turn(300, 2, 3)],
    }
    (row,) = summarise(rounds, "ours", "plain", "limit")
    assert (row["ours_per_second"], row["peer_cpu_ms"], row["limit_cpu_ms"]) == (150, 30, 3)
    assert (row["throughput_ratio"], row["p50_ratio"], row["p99_ratio"]) == (3, 5, 5)
    # Per second of processor time: 4 / 8, 3 / 4 and 3 / 5 of the limit's requests.
    assert row["per_core_of_limit"] == pytest.approx(0.6)
    assert row["degraded"] == 6
