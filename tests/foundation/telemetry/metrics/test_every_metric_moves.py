"""Each metric of the manual's table is moved by the code it tells of."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from foundation.telemetry.metrics import ProcessMetrics
from pipeline.budgeted_swaps import Swapped
from pipeline.candidates import Candidates
from pipeline.stages import Model
from protos.shopfront.v1 import event_pb2, feedback_pb2, visual_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from rollout import transitions
from rollout.arms import Arm, ticket_for
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from rollout.shadow import ShadowScoring
from router.engine.engine import Engine
from router.engine.share_metrics import ShareMetrics
from router.fusion.modulated import ModulatedFusion
from router.fusion.modulation_settings import ModulationSettings
from router.fusion.quota import QuotaFusion
from router.page.exposure_plan_metrics import ExposurePlanMetrics
from router.ranking.circuit_breaker import CircuitBreaker, NoAnswer
from router.ranking.circuit_metrics import CircuitMetrics
from router.ranking.settings import BreakerSettings
from server.connection_metrics import ConnectionMetrics
from server.ingress.calls import call_handler
from server.metric_groups import open_groups
from server.running_service import RunningService
from server.startup import start_service
from state.channel_rates.rates import ChannelRates
from state.metrics import StateMetrics
from state.store import StoreStatus
from testing.served_shop import SCENES, ServedShop, make_shop
from tests.rollout.plans import DATASET
from tests.rollout.plans import running as under_way
from tests.router.ranking.queries import candidates, query

NO_TRITON = "127.0.0.1:9"
USER = "shopper-of-metrics"
MANUAL = Path(__file__).parents[4] / "docs" / "manual" / "observability.md"
TABLE = re.findall(r"^\| `(shopfront_\w+)`", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
EXPERIMENTS = """
layers:
  page:
    experiments:
      short-page:
        scenes: [home]
        arms:
          control: {share_bp: 5000}
          treatment: {share_bp: 5000, patch: {page: {default_size: 7}}}
"""

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read(metrics: ProcessMetrics) -> Samples:
    """Values by family's series name and labels; of a histogram its count."""
    found: Samples = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            name = sample.name.removesuffix("_count") if family.type == "histogram" else sample.name
            found.setdefault(name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def moved(name: str, before: Samples, after: Samples) -> bool:
    """Whether any series of the metric has another value, or one that is not 0 where there was none."""
    was = before.get(name, {})
    return any(value != was.get(labels, 0.0) for labels, value in after.get(name, {}).items())


async def until(metrics: ProcessMetrics, names: set[str], before: Samples) -> None:
    """Waits for what is stated once a second."""
    give_up = time.monotonic() + 30
    while not all(moved(name, before, read(metrics)) for name in names):
        assert time.monotonic() < give_up, [name for name in names if not moved(name, before, read(metrics))]
        await asyncio.sleep(0.05)


async def serve_and_break(shop: ServedShop, folder: Path) -> tuple[Samples, Samples]:
    """A service without Triton: requests, events, a new snapshot, an edit. Values before and after."""
    experiments = folder / "experiments.yaml"
    experiments.write_text(EXPERIMENTS)
    recording = {"enabled": True, "folder": str(folder / "recorded"), "share": 1.0}
    logged = SCENES.replace("  candidates: 100\n", "  candidates: 100\n  feature_log: {enabled: true}\n")
    shop.scenes.write_text(logged)
    settings = shop.settings(
        NO_TRITON,
        recording=recording,
        feature_log={"folder": str(folder / "features")},
        snapshots={"verify_interval_s": 0.2},
    ).model_copy(update={"experiments": experiments})
    running = await start_service(settings)
    metrics, before = running.metrics, read(open_groups(ProcessMetrics()))
    handle = call_handler(running).handle
    try:
        answer = await handle("Recommend", RecommendRequest(scene="home", user_id=USER), 10.0)
        assert isinstance(answer, RecommendResponse)
        seen, view = (
            event_pb2.Event(user_id=USER, item_id="i0001", event_id="once"),
            event_pb2.EVENT_TYPE_VIEW,
        )
        seen.type = view
        events = [
            seen,
            event_pb2.Event(user_id=USER, item_id="newer-than-the-snapshot", type=view),
            event_pb2.Event(user_id=USER, item_id="i0002", type=view, position=-1),
            event_pb2.Event(
                user_id="somebody else",
                item_id="i0002",
                type=view,
                attribution_token=answer.attribution_token,
            ),
        ]
        for _ in range(2):
            await handle("ReportEvents", event_pb2.ReportEventsRequest(events=events), 10.0)
        for said in (
            feedback_pb2.SendFeedbackRequest(
                user_id=USER,
                ratings=[feedback_pb2.Rating(dimension="RATING_DIMENSION_PRICE", value=2)],
                items=[feedback_pb2.ItemFeedback(item_id="i0003", type="ITEM_FEEDBACK_TYPE_OWN_IT")],
            ),
            feedback_pb2.SendFeedbackRequest(user_id=USER, comment="?", attribution_token="forged"),
        ):
            await handle("SendFeedback", said, 10.0)
        await handle("ShouldAsk", feedback_pb2.ShouldAskRequest(), 10.0)
        await handle("SearchByImage", visual_pb2.SearchByImageRequest(image=b"?"), 10.0)
        await handle("PutPictures", visual_pb2.PutPicturesRequest(), 10.0)
        shop.publish(models={}, seed=2)
        shop.scenes.write_text(logged.replace("default_size: 10", "default_size: 9"))
        # Utilisation is that of the last interval: there must be some.
        busy = asyncio.create_task(_ask_on(running))
        try:
            await until(metrics, OF_A_SERVICE, before)
            for snapshot in shop.snapshots.root.glob("2*/recall/hot"):
                for file in snapshot.iterdir():
                    file.chmod(0o600)
                    # In place: a mapped file must not be shorter for a moment.
                    with file.open("r+b") as stream:
                        stream.write(bytes(file.stat().st_size))
            await until(metrics, {"shopfront_snapshot_damaged"}, before)
        finally:
            busy.cancel()
        return before, read(metrics)
    finally:
        await running.stop()


async def _ask_on(running: RunningService) -> None:
    handle = call_handler(running).handle
    while True:
        await asyncio.gather(*(handle("Recommend", RecommendRequest(scene="home"), 10.0) for _ in range(4)))


async def break_the_rest(folder: Path) -> list[tuple[Samples, Samples]]:
    """What that service never counts: a model that hangs, a store that is gone, a rollout."""
    metrics = open_groups(ProcessMetrics())
    rollout_metrics = metrics.group(RolloutMetrics)
    before = read(metrics)
    _hang(metrics)
    connections = metrics.group(ConnectionMetrics)
    connections.open(3)
    connections.refused(1)
    shown, one, lost = np.arange(2), np.ones(1, np.int64), np.array([0.5])
    metrics.group(ExposurePlanMetrics).observe("home", Swapped(shown, one, one, one, lost, 2.0))
    metrics.group(StateMetrics).observe(StoreStatus(5, 8, 1, 2, 3, failed_reads=2, available=True))
    shares = ModulatedFusion(
        "home", ("hot",), np.ones(1), 2.0, ModulationSettings(), lambda moved: QuotaFusion(moved)
    )
    engine = SimpleNamespace(pipelines={"home": SimpleNamespace(live_fusion=shares)})
    metrics.group(ShareMetrics).observe(cast(Engine, engine), ChannelRates(9))
    store = LmdbRolloutStore(folder / "rollouts")
    replica = ReplicaRollouts("bst", store, RolloutSettings(), "r1", rollout_metrics)
    replica.adopt(under_way(2))
    ticket = _candidate_of(replica)
    replica.answered(ticket, USER, 3.0, shown=2, page_size=2, degraded=())
    await _copy(replica, rollout_metrics)
    under_way_still = read(metrics)
    ended = transitions.abort(replica.record, "ann", 5_000.0, "enough")
    replica.adopt(ended.record)
    store.close()
    await replica.poll()
    return [(before, under_way_still), (before, read(metrics))]


def _hang(metrics: ProcessMetrics) -> None:
    now = [0.0]
    settings = BreakerSettings(timeouts=1, window_s=10.0, patience_ms=1.0, open_s=100.0)
    breaker = CircuitBreaker(settings, lambda: now[0], metrics.group(CircuitMetrics).observe)
    with pytest.raises(NoAnswer):
        _wait_in_vain(breaker, now)


def _wait_in_vain(breaker: CircuitBreaker, now: list[float]) -> None:
    with breaker.call("bst", "1"):
        now[0] += 1.0
        raise NoAnswer("no answer within 1 s")


def _candidate_of(replica: ReplicaRollouts) -> RolloutTicket:
    for number in range(1_000):
        ticket = replica.assign(ServingSnapshot(DATASET, {"bst": "1"}), f"shopper-{number}").ticket
        if ticket is not None and ticket.arm == Arm.CANDIDATE:
            return ticket
    raise AssertionError("nobody is in the candidate's arm")


class Scorer:
    """Scores that are the same for every version."""

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions["bst"])

    async def score(self, query: Query, candidates: Candidates, timeout_s: float | None = None) -> np.ndarray:
        return np.linspace(1.0, 0.0, len(candidates.items), dtype=np.float32)


async def _copy(replica: ReplicaRollouts, metrics: RolloutMetrics) -> None:
    """One request that both versions score, as a side effect."""
    shadow = ShadowScoring(replica, Scorer(), RolloutSettings(), metrics)
    rollout = replica.record.active
    assert rollout is not None
    ticket = ticket_for(rollout, Arm.SHADOW)
    ticket.keep(candidates(3), np.array([0.1, 0.5, 0.9], np.float32), 2.0)
    await shadow.after(replace(query(), model_versions={"bst": "1"}, rollout=ticket), None)


def _all_metrics() -> ProcessMetrics:
    """Every metric a replica may count."""
    return open_groups(ProcessMetrics())


ELSEWHERE = {
    "shopfront_events_repeated_total",
    "shopfront_served_items_dropped_total",
    "shopfront_state_reads_failed_total",
    "shopfront_model_circuit_events_total",
    "shopfront_snapshot_damaged",
    "shopfront_connections_open",
    "shopfront_connections_ended_total",
    "shopfront_channel_share_factor",
    "shopfront_channel_rates_sequence",
    "shopfront_exposure_plan_slots_total",
    "shopfront_exposure_plan_value_total",
    "shopfront_exposure_plan_lost_total",
}
"""Counted where a service without Triton is sound and alone never comes to."""
OF_REPLICAS = {
    f"{family.name}_total" if family.type == "counter" else family.name
    for family in _all_metrics().registry.collect()
}
OF_A_SERVICE = {name for name in OF_REPLICAS - ELSEWHERE if not name.startswith("shopfront_rollout_")}


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Samples, Samples]]:
    """Values before and after, of a service and of what is broken."""
    folder = tmp_path_factory.mktemp("metrics")
    shop = make_shop(folder / "shop")

    async def both() -> list[tuple[Samples, Samples]]:
        return [await serve_and_break(shop, folder), *(await break_the_rest(folder))]

    return asyncio.run(both())


@pytest.mark.parametrize("name", TABLE)
def test_the_code_moves_it(name: str, observed: list[tuple[Samples, Samples]]) -> None:
    if name not in OF_REPLICAS:
        pytest.skip("the endpoint or the supervisor makes it; they have tests of their own")
    assert any(moved(name, before, after) for before, after in observed)
