"""The loop through a running router."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from learning.labelled.labelled_rows import LabelledRows
from learning.labelled.logged_answers import LoggedAnswers
from learning.ranker.ranker import rows_of
from learning.stream.served_features import ServedFeatures
from learning.stream.stream import StreamState
from protos.shopfront.v1.event_pb2 import (
    EVENT_TYPE_IMPRESSION,
    EVENT_TYPE_VIEW,
    Event,
    ReportEventsRequest,
)
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from recall.query import Query
from router.ranking.live import COLUMNS, LiveScorer
from shopfront.labelled_samples import write_samples
from state.attribution import AttributionCodec
from state.live_counters.live_counters import LiveCounters
from state.live_model.inputs import RankedRows, hashed_inputs
from state.live_model.weights import OnlineModel
from testing.running_router import in_process
from testing.served_shop import make_shop
from tests.learning.stream.learners import settings_of, started
from tests.learning.stream.logs import facts_of

pytestmark = pytest.mark.slow


LIVE_SCENES = """
scenes:
  home:
    channels:
      hot: {share: 1.0, timeout_ms: 2000.0}
    ranking: {timeout_ms: 2000.0, scorers: {live: {prior: 1.0}}}
    deadline: {budget_ms: 4000.0}
"""


def test_reported_clicks_move_the_page_of_a_running_router(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(LIVE_SCENES)
    settings = settings_of(shop, tmp_path / "learning", poll_s=0.05)
    with in_process(settings) as router, started(settings) as process:

        def page(shopper: str) -> RecommendResponse:
            request = RecommendRequest(scene="home", user_id=shopper, page_size=10)
            return router.recommend.Recommend(request, timeout=10)

        before = page("nobody")
        assert not before.degraded
        wanted = before.items[-1].item_id
        for number in range(5):
            shown = page(f"shopper-{number}")
            events = [
                Event(
                    user_id=f"shopper-{number}",
                    item_id=each.item_id,
                    type=code,
                    attribution_token=shown.attribution_token,
                )
                for each in shown.items
                for code in (EVENT_TYPE_IMPRESSION, EVENT_TYPE_VIEW)
                if code == EVENT_TYPE_IMPRESSION or each.item_id == wanted
            ]
            stored = router.events.ReportEvents(ReportEventsRequest(events=events), timeout=10)
            assert stored.accepted == len(events) == 11
        until = time.monotonic() + 30
        while page("nobody").items[0].item_id != wanted and time.monotonic() < until:
            time.sleep(0.05)
        assert page("nobody").items[0].item_id == wanted
        # A learner that dies takes nothing from the page.
        process.kill()
        process.wait()
        after = page("nobody")
        assert after.items[0].item_id == wanted
        assert not after.degraded


LOGGED_SCENES = """
scenes:
  home:
    channels:
      hot: {share: 1.0, timeout_ms: 2000.0}
    ranking:
      timeout_ms: 2000.0
      scorers: {online: {}, live: {}}
      merge: {weighted_sum: {weights: {online.score: 1.0, live.lift: 0.5}}}
    feature_log: {enabled: true}
    deadline: {budget_ms: 4000.0}
"""


def test_a_sample_has_what_serving_saw_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(LOGGED_SCENES)
    settings = settings_of(shop, tmp_path / "learning", label_wait_s=1)
    scored: list[RankedRows] = []
    live: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
    log_odds, columns = OnlineModel.log_odds, LiveScorer.columns

    def spy_on_online(model: OnlineModel, rows: RankedRows) -> np.ndarray:
        scored.append(rows)
        return log_odds(model, rows)

    def spy_on_live(
        scorer: LiveScorer, counters: LiveCounters, query: Query, items: np.ndarray
    ) -> dict[str, np.ndarray]:
        live.append((items, columns(scorer, counters, query, items)))
        return live[-1][1]

    catalogue = shop.dataset.catalogue
    codec = AttributionCodec.from_settings(settings.attribution)
    with in_process(settings) as router:
        store = router.running.store
        store.put_profiles({"anna": {name: said[-1] for name, said in catalogue.profile_vocab.items()}}, 1)
        # What warmed up is not looked at.
        monkeypatch.setattr(OnlineModel, "log_odds", spy_on_online)
        monkeypatch.setattr(LiveScorer, "columns", spy_on_live)
        request = RecommendRequest(scene="home", user_id="anna", page_size=10)
        shown = router.recommend.Recommend(request, timeout=10)
        assert not shown.degraded
        seen = [
            Event(user_id="anna", item_id=each.item_id, type=code, attribution_token=shown.attribution_token)
            for each in shown.items
            for code in (EVENT_TYPE_IMPRESSION, EVENT_TYPE_VIEW)
            if code == EVENT_TYPE_IMPRESSION or each is shown.items[3]
        ]
        router.events.ReportEvents(ReportEventsRequest(events=seen), timeout=10)
        time.sleep(1.1)
        later = Event(user_id="bob", item_id=shown.items[0].item_id, type=EVENT_TYPE_VIEW)
        router.events.ReportEvents(ReportEventsRequest(events=[later]), timeout=10)
        facts = facts_of(settings)
        features = ServedFeatures(settings.feature_log.folder, settings.learning.stream, facts.profiles)
        (tmp_path / "state files").mkdir()
        state = StreamState(
            settings.learning.stream, codec, facts.catalogue, tmp_path / "state files", features
        )
        samples = state.read(list(store.read_log()), facts.scenes)
        (tmp_path / "scratch").mkdir()
        labelled = LabelledRows(
            settings.learning.stream,
            codec,
            facts.catalogue,
            LoggedAnswers.of(settings.feature_log.folder),
            tmp_path / "scratch",
        )
        (rows,) = labelled.read(store, facts.scenes)
    assert len(samples) == len(shown.items) == 10
    assert samples.regions.all()
    assert samples.crowds.all()
    # The inputs of the online ranker.
    (served,) = scored
    at = [served.items.tolist().index(key) for key in samples.items.tolist()]
    learned = rows_of(replace(samples, positions=np.zeros(10, np.int32)))
    assert (hashed_inputs(learned, 20) == hashed_inputs(served, 20)[at]).all()
    # The columns of scorers; the score that ordered the page, as nothing was lifted yet.
    ((items, said),) = live
    at = [catalogue.item_ids(items).index(item_id) for item_id in rows["item_id"]]
    for name in COLUMNS:
        assert rows[f"live.{name}"].tobytes() == said[name][at].tobytes()
    assert rows["score"].tolist() == rows["online.score"].tolist()
    assert [shown.items[slot - 1].item_id for slot in rows["slot"]] == rows["item_id"].tolist()
    assert rows["item_id"][rows["clicked"]].tolist() == [shown.items[3].item_id]
    assert {name: int(codes[0]) for name, codes in rows.items() if name in catalogue.profile_vocab} == {
        name: len(said) for name, said in catalogue.profile_vocab.items()
    }
    assert not +labelled.dropped
    assert (labelled.rows, labelled.waiting) == (10, 0)
    # The same, as a file.
    written = write_samples(settings, 1, tmp_path / "samples.parquet")
    assert (written.rows, written.answers, written.waiting, written.dropped) == (10, 1, 0, [])
    table = pl.read_parquet(tmp_path / "samples.parquet")
    for name, column in rows.items():
        assert table[name].to_list() == pytest.approx(column.tolist(), nan_ok=True), name
    # A label that is waited for longer is not known yet.
    written = write_samples(settings, 600, tmp_path / "samples.parquet")
    assert (written.rows, written.waiting) == (0, 10)
