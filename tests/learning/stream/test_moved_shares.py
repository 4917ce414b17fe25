"""Shares moved by what shoppers do, through a running router, its logs and a learner."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from protos.shopfront.v1.admin_pb2 import ChannelShare, ExplainPageRequest, InspectScenesRequest
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from protos.shopfront.v1.event_pb2 import (
    EVENT_TYPE_IMPRESSION,
    EVENT_TYPE_VIEW,
    Event,
    ReportEventsRequest,
)
from protos.shopfront.v1.recommend_pb2 import RecommendResponse, SimilarItemsRequest
from state.attribution import AttributionCodec
from testing.running_router import Ingress, in_process
from testing.served_shop import make_shop
from tests.learning.stream.learners import settings_of
from tests.learning.stream.logs import facts_of

pytestmark = pytest.mark.slow

SCENES = """
scenes:
  similar_items:
    channels:
      ranki2i: {share: 0.5, k: 12, timeout_ms: 2000.0}
      hot: {share: 0.5, k: 12, timeout_ms: 2000.0}
    fusion: {reciprocal_rank: {}}
    modulation: {least_shoppers: 10, segments: familiarity, bounds: {hot: {least: 0.25}}}
    ranking: {enabled: false}
    feature_log: {enabled: true}
    deadline: {budget_ms: 4000.0}
"""
ANCHOR = 7


def page(router: Ingress, item_id: str, shopper: str) -> RecommendResponse:
    request = SimilarItemsRequest(item_id=item_id, scene="similar_items", user_id=shopper, page_size=10)
    answer: RecommendResponse = router.recommend.SimilarItems(request, timeout=10)
    assert not answer.degraded
    return answer


def visit(router: Ingress, item_id: str, shopper: str) -> None:
    """One who sees the page, and opens what no bestseller is."""
    shown = page(router, item_id, shopper)
    alone = [each for each in shown.items if [reason.channel for reason in each.reasons] == ["ranki2i"]]
    assert 0 < len(alone) < len(shown.items)
    events = [
        Event(user_id=shopper, item_id=each.item_id, type=code, attribution_token=shown.attribution_token)
        for code, items in ((EVENT_TYPE_IMPRESSION, shown.items), (EVENT_TYPE_VIEW, alone))
        for each in items
    ]
    assert router.events.ReportEvents(ReportEventsRequest(events=events), timeout=10).accepted == len(events)


def shares(router: Ingress) -> tuple[int, list[ChannelShare]]:
    (scene,) = AdminServiceStub(router.channel).InspectScenes(InspectScenesRequest(), timeout=10).scenes
    return scene.rates_version, list(scene.channel_shares)


def hot_places(answer: RecommendResponse) -> list[int]:
    """Places of what only the bestsellers have."""
    return [
        place
        for place, each in enumerate(answer.items)
        if [reason.channel for reason in each.reasons] == ["hot"]
    ]


def test_a_channel_that_shoppers_pass_over_gets_less_of_the_page(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(SCENES)
    settings = settings_of(shop, tmp_path / "learning", label_wait_s=1)
    catalogue = shop.dataset.catalogue
    (item_id,) = catalogue.item_ids(catalogue.dense_from_keys(catalogue.keys[ANCHOR : ANCHOR + 1]))
    with in_process(settings) as router:
        assert router.running is not None
        before = page(router, item_id, "nobody")
        version, rows = shares(router)
        assert version == 0
        assert [(row.channel, row.share, row.moved_share) for row in rows] == [
            ("ranki2i", 0.5, 0.5),
            ("hot", 0.5, 0.5),
        ]
        for number in range(24):
            visit(router, item_id, f"shopper-{number}")
        time.sleep(1.1)
        # Brings the log to a time at which what was seen is due.
        later = Event(user_id="bob", item_id=item_id, type=EVENT_TYPE_VIEW)
        router.events.ReportEvents(ReportEventsRequest(events=[later]), timeout=10)
        learner = Learner(
            settings.learning,
            router.running.store,
            "log",
            AttributionCodec.from_settings(settings.attribution),
            facts_of(settings),
            LearnerMetrics(ProcessMetrics()),
            settings.feature_log.folder,
        )
        try:
            while learner.step():
                pass
            learner.publish_rates()
        finally:
            learner.close()
        until = time.monotonic() + 30
        while not shares(router)[0] and time.monotonic() < until:
            time.sleep(0.05)
        version, rows = shares(router)
        after = page(router, item_id, "nobody")
        explained = AdminServiceStub(router.channel).ExplainPage(
            ExplainPageRequest(scene="similar_items", anchor_item_id=item_id, page_size=10), timeout=10
        )
    assert version > 24 * 10
    for segment in ("", "new"):
        better, worse = (row for row in rows if row.segment == segment)
        assert better.moved_share > better.share
        assert 0.125 <= worse.moved_share < worse.share
        assert (worse.least_share, worse.most_share) == (0.125, 1.0)
        assert better.clicks > better.expected_clicks
        assert worse.shown > 0
        assert worse.shoppers == 24
    assert sum(hot_places(after)) > sum(hot_places(before)) or len(hot_places(after)) < len(
        hot_places(before)
    )
    said = {stage.stage: stage.detail for stage in explained.page.trace.stages}
    assert said["fusion"] == f"shares by rates {version}"
