"""A shop with one part of its own of each concept: built, served on Triton behind both ingresses, observed.

Nothing but the setting `plugins` names the parts, and the processes are those of `shopfront run`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import polars as pl
import pytest

from protos.shopfront.v1 import event_pb2, event_pb2_grpc, recommend_pb2, recommend_pb2_grpc
from testing.served_command import served_command
from testing.synthetic_shop import write_synthetic_shop
from tests.server.plugin_service import greeting_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SETTINGS = """
plugins: [tests.plugin_shop.plugin]
models:
  bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
  toy: {network: {dimension: 6}}
export: {formats: [onnx]}
router:
  ingress: {address: "127.0.0.1:0", kind: KIND, replicas: 1}
  metrics: {port: 0}
  recall: {mind: {enabled: false}, moods: {index: flat}}
  tables: {patience: {share: 0.5}}
  ranking: {score_timeout_ms: 5000.0, interests_timeout_ms: 5000.0}
"""
SCENES = """
defaults:
  filters: {seen_enough: {}}
  backfill: {channel: hot}
  deadline: {budget_ms: 9000.0}
  channels:
    moods: {share: 0.5, timeout_ms: 5000.0}
    hot: {share: 0.5, timeout_ms: 5000.0}
  ranking:
    timeout_ms: 5000.0
    scorers: {triton: {}, lightest: {timeout_ms: 5000.0}}
    merge: {weighted_sum: {weights: {lightest.score: 1.0, triton.score: 0.0001}}}
  rerank: {scatter: {rules: [{by: material, window: 4, max: 2}]}}
page: {rerank: {upside_down: {}}}
scenes:
  home: {}
  cart: {}
"""
MATERIALS = ("oak", "pine", "steel", "glass", "wool")
SERVED = 20


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a made-up shop whose items have a material and a weight."""
    root = tmp_path_factory.mktemp("plugin_shop")
    write_synthetic_shop(root / "data", users=80, items=200, events=4000, seed=3)
    items = pl.read_csv(root / "data" / "items.csv", infer_schema=False)
    items.with_columns(
        pl.Series("material", [MATERIALS[row % len(MATERIALS)] for row in range(len(items))]),
        pl.Series("weight", [f"{row % 97 / 10}" for row in range(len(items))]),
    ).write_csv(root / "data" / "items.csv")
    return root


@contextmanager
def running(root: Path, ingress: str) -> Iterator[tuple[str, str]]:
    """`shopfront run` over the shop: its output so far and its address."""
    config = root / "config"
    config.mkdir(exist_ok=True)
    (config / "shopfront.yaml").write_text(SETTINGS.replace("KIND", ingress))
    (config / "scenes.yaml").write_text(SCENES)
    command = [
        *(sys.executable, "-m", "shopfront", "run", "--data", str(root / "data")),
        *("--workspace", str(root / "workspace"), "--config", str(config / "shopfront.yaml")),
    ]
    with served_command(command) as (_, output, address):
        yield output, address


@pytest.fixture(scope="module", params=["haproxy", "grpc"])
def served(shop: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, grpc.Channel]]:
    """The output of the run, and a channel to it."""
    with running(shop, request.param) as (output, address), grpc.insecure_channel(address) as channel:
        yield output, channel


def recommend(channel: grpc.Channel, user: str, scene: str = "home") -> recommend_pb2.RecommendResponse:
    """The page of one scene; asked again while a part of it is still starting."""
    request = recommend_pb2.RecommendRequest(scene=scene, user_id=user, page_size=SERVED, with_trace=True)
    stub = recommend_pb2_grpc.RecommendServiceStub(channel)
    for _ in range(20):
        answer: recommend_pb2.RecommendResponse = stub.Recommend(request, timeout=20)
        if not answer.degraded:
            break
        time.sleep(0.5)
    assert not answer.degraded
    assert len(answer.items) == SERVED
    return answer


def test_the_build_made_what_the_parts_need(served: tuple[str, grpc.Channel], shop: Path) -> None:
    output, _ = served
    assert "toy" in output
    snapshot = (shop / "workspace" / "snapshots" / "current").resolve()
    assert (snapshot / "recall" / "moods" / "items.faiss").is_file()
    assert (snapshot / "tables" / "patience" / "patience.npy").is_file()
    configuration = (shop / "workspace" / "triton" / "models" / "toy" / "config.pbtxt").read_text()
    assert "TYPE_STRING" in configuration
    assert "TYPE_FP32" in configuration


def test_the_channel_recalls_by_the_model_on_triton(served: tuple[str, grpc.Channel]) -> None:
    answer = recommend(served[1], "u0001")
    assert "moods" in {reason.channel for item in answer.items for reason in item.reasons}


def test_the_live_scorer_orders_the_page_in_a_version_of_its_own(served: tuple[str, grpc.Channel]) -> None:
    first, second = (recommend(served[1], "u0002") for _ in range(2))
    assert {first.model_name, second.model_name} == {"lightest"}
    assert first.model_version.startswith("live-")
    assert first.model_version != second.model_version
    weights = [float(item.attributes["weight"]) for item in first.items]
    # The scatter by material moves a few.
    assert sum(weights[:10]) < sum(weights[10:])


def test_the_item_columns_are_shown_and_scattered_by(served: tuple[str, grpc.Channel]) -> None:
    answer = recommend(served[1], "u0003")
    assert all(set(item.attributes) == {"weight"} for item in answer.items)
    materials = [MATERIALS[int(item.item_id[1:]) % len(MATERIALS)] for item in answer.items]
    windows = [materials[start : start + 4] for start in range(len(materials) - 3)]
    assert all(window.count(each) <= 2 for window in windows for each in window)


def test_the_filter_hides_what_the_event_log_has_often_enough(served: tuple[str, grpc.Channel]) -> None:
    _, channel = served
    before = [item.item_id for item in recommend(channel, "u0004").items]
    views = [
        event_pb2.Event(user_id="u0004", item_id=before[0], type=event_pb2.EVENT_TYPE_VIEW) for _ in range(6)
    ]
    event_pb2_grpc.EventServiceStub(channel).ReportEvents(event_pb2.ReportEventsRequest(events=views))
    after = recommend(channel, "u0004")
    assert before[0] not in [item.item_id for item in after.items]
    stages = {stage.stage: stage for stage in after.trace.stages}
    assert stages["filter:seen_enough"].removed["seen_enough"] >= 1
    assert stages["feature:logged_views"].outcome == "ok"


def test_the_page_reranker_turns_later_scenes_around(served: tuple[str, grpc.Channel]) -> None:
    _, channel = served
    request = recommend_pb2.RecommendPageRequest(
        user_id="u0005",
        scenes=[recommend_pb2.SceneRequest(scene=name, page_size=5) for name in ("home", "cart")],
        with_trace=True,
    )
    page = recommend_pb2_grpc.RecommendServiceStub(channel).RecommendPage(request, timeout=20)
    home, cart = page.scenes
    alone = [item.item_id for item in recommend(channel, "u0005", "cart").items]
    ids = [item.item_id for item in home.items], [item.item_id for item in cart.items]
    assert "page:upside_down" in {stage.stage for stage in cart.trace.stages}
    assert not set(ids[0]) & set(ids[1])
    assert ids[0] == alone[:5]
    places = [alone.index(item) for item in ids[1]]
    assert places == sorted(places, reverse=True)


def test_the_service_answers(served: tuple[str, grpc.Channel]) -> None:
    greet = served[1].unary_unary(
        "/tests.greeting.GreetingService/Greet",
        request_serializer=greeting_pb2.GreetRequest.SerializeToString,
        response_deserializer=greeting_pb2.Greeting.FromString,
    )
    answer = greet(greeting_pb2.GreetRequest(name="Ann"), timeout=20)
    assert (answer.text, answer.known_scenes) == ("Hello Ann", 2)
