"""Experiments in a running service without Triton: real state, real tables, recall order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation.statistics.assignment import bucket
from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SceneRequest
from router.service.call import Call, new_call
from router.service.exposure_metrics import ExposureMetrics
from server.running_service import RunningService
from server.settings import RouterSettings
from server.startup import start_service
from shopfront.experiment_report import UnknownExperiment, make_reports
from snapshot.event_codes import IMPRESSION
from state.attribution import AttributionCodec
from state.exposure_event import EXPOSURE_PREFIX
from state.registry import open_state
from testing.served_shop import ServedShop, make_shop

pytestmark = pytest.mark.slow

NO_TRITON = "127.0.0.1:9"
EXPERIMENTS = """
layers:
  page:
    experiments:
      short-page:
        scenes: [home]
        arms:
          control: {share_bp: 4000}
          treatment: {share_bp: 4000, patch: {page: {default_size: 7}, channels: {ranki2i: {share: 0.1}}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop with one snapshot."""
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def settings(shop: ServedShop, tmp_path: Path) -> RouterSettings:
    """Settings with an experiment and a state of their own."""
    file = tmp_path / "experiments.yaml"
    file.write_text(EXPERIMENTS)
    plain = shop.settings(NO_TRITON, state={"url": f"lmdb://{tmp_path / 'state'}"})
    return plain.model_copy(update={"experiments": file})


@pytest.fixture
async def running(settings: RouterSettings) -> AsyncIterator[RunningService]:
    """The service."""
    started = await start_service(settings)
    yield started
    await started.stop()


def call() -> Call:
    """A call that arrives now."""
    return new_call(time.monotonic())


def user_in(low: int, high: int) -> str:
    """A shopper whose bucket is in [low, high)."""
    return next(user for n in range(10_000) if low <= bucket("page", user := f"shopper-{n}") < high)


CONTROL, TREATMENT, NEITHER = user_in(0, 4_000), user_in(4_000, 8_000), user_in(8_000, 10_000)


async def test_each_arm_is_served_its_scene_and_says_so(running: RunningService) -> None:
    sizes, arms = [], []
    for user in (CONTROL, TREATMENT, NEITHER, ""):
        response = await running.service.recommend(RecommendRequest(scene="home", user_id=user), call())
        sizes.append(len(response.items))
        arms.append(dict(response.arms))
        assert AttributionCodec().decode(response.attribution_token).arms == arms[-1]
    assert sizes == [20, 7, 20, 20]
    assert arms == [{"short-page": "control"}, {"short-page": "treatment"}, {}, {}]


async def test_only_the_scenes_of_an_experiment_are_changed(running: RunningService) -> None:
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene="home"), SceneRequest(scene="cart")], user_id=TREATMENT
    )
    home, cart = (await running.service.recommend_page(request, call())).scenes
    assert (len(home.items), dict(home.arms)) == (7, {"short-page": "treatment"})
    assert (len(cart.items), dict(cart.arms)) == (10, {})


async def test_an_answer_is_logged_once_and_joined_with_what_the_shopper_does(
    running: RunningService, settings: RouterSettings
) -> None:
    # Where an earlier test counted in the files of its processes, every later count of this one is a sum.
    counted = running.metrics.group(ExposureMetrics).exposures["short-page", "treatment"]
    before = counted._value.get()
    tokens = {}
    for user in (CONTROL, TREATMENT, NEITHER, ""):
        response = await running.service.recommend(RecommendRequest(scene="home", user_id=user), call())
        tokens[user] = response
    request = event_pb2.ReportEventsRequest(
        events=[
            event_pb2.Event(
                user_id=TREATMENT,
                item_id=tokens[TREATMENT].items[2].item_id,
                type=kind,
                attribution_token=tokens[TREATMENT].attribution_token,
                price=4.0,
            )
            for kind in (event_pb2.EVENT_TYPE_VIEW, event_pb2.EVENT_TYPE_PURCHASE)
        ]
    )
    await running.service.report_events(request, call())
    await running.stop()
    assert counted._value.get() - before == 1

    store = open_state(settings.state)
    exposures = [event for _, event in store.read_log() if event.event == IMPRESSION]
    store.close()
    assert [(event.user_id, event.quantity, event.position) for event in exposures] == [
        (CONTROL, 20, 1),
        (TREATMENT, 7, 1),
    ]
    assert all(event.event_id.startswith(EXPOSURE_PREFIX) for event in exposures)
    assert exposures[0].item_id == tokens[CONTROL].items[0].item_id

    (report,) = make_reports(settings, "short-page")
    control, treatment = report.arms
    assert (control.users, control.impressions, control.clicks) == (1, 20, 0)
    assert (treatment.users, treatment.impressions, treatment.clicks, treatment.purchases) == (1, 7, 1, 1)
    assert treatment.gmv == 4.0
    with pytest.raises(UnknownExperiment, match="in the log are short-page"):
        make_reports(settings, "long-page")


async def test_an_edit_is_taken_up_and_a_wrong_one_is_not(
    running: RunningService, settings: RouterSettings
) -> None:
    assert settings.experiments is not None

    async def size(expected: int) -> int:
        found = 0
        for _ in range(100):
            response = await running.service.recommend(
                RecommendRequest(scene="home", user_id=TREATMENT), call()
            )
            found = len(response.items)
            if found == expected:
                break
            await asyncio.sleep(0.05)
        return found

    settings.experiments.write_text(EXPERIMENTS.replace("default_size: 7", "default_size: 9"))
    assert await size(9) == 9
    settings.experiments.write_text(EXPERIMENTS.replace("default_size: 7", "default_sighs: 5"))
    await asyncio.sleep(0.4)
    assert await size(9) == 9
    settings.experiments.unlink()
    assert await size(20) == 20
    settings.experiments.write_text(EXPERIMENTS)
    assert await size(7) == 7


async def test_an_edit_of_the_scenes_keeps_the_experiments(
    shop: ServedShop, settings: RouterSettings
) -> None:
    scenes = settings.scenes.parent / "edited.yaml"
    scenes.write_text(shop.scenes.read_text())
    running = await start_service(settings.model_copy(update={"scenes": scenes}))
    try:
        scenes.write_text(shop.scenes.read_text().replace("default_size: 10", "default_size: 6"))
        for _ in range(100):
            response = await running.service.recommend(
                RecommendRequest(scene="cart", user_id=TREATMENT), call()
            )
            if len(response.items) == 6:
                break
            await asyncio.sleep(0.05)
        assert len(response.items) == 6
        home = await running.service.recommend(RecommendRequest(scene="home", user_id=TREATMENT), call())
        assert len(home.items) == 7
    finally:
        await running.stop()


async def test_shoppers_are_divided_as_configured_and_nothing_differs_between_equal_arms(
    settings: RouterSettings,
) -> None:
    assert settings.experiments is not None
    settings.experiments.write_text(
        "layers: {aa: {experiments: {a-a: {scenes: [cart], arms: {one: {share_bp: 5000},"
        " other: {share_bp: 5000}}}}}}"
    )
    running = await start_service(settings)
    try:
        for n in range(300):
            request = RecommendRequest(scene="cart", user_id=f"shopper-{n}", page_size=5)
            answer = await running.service.recommend(request, call())
            if n % 3 == 0:
                event = event_pb2.Event(
                    user_id=request.user_id,
                    item_id=answer.items[0].item_id,
                    type=event_pb2.EVENT_TYPE_VIEW,
                    attribution_token=answer.attribution_token,
                )
                await running.service.report_events(event_pb2.ReportEventsRequest(events=[event]), call())
    finally:
        await running.stop()
    (report,) = make_reports(settings, None)
    assert report.warnings == ()
    one, other = report.arms
    assert one.users + other.users == 300
    assert (one.impressions + other.impressions, one.clicks + other.clicks) == (1_500, 100)
    assert report.mismatch_p is not None
    assert report.mismatch_p > 0.001
    change = other.differences["ctr"]
    assert change is not None
    assert change.p_value > 0.001
