"""A poisoned stream: what is nonsense moves neither the pages of others nor what is published."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from learning.learner import Learner
from pipeline.candidates import unscored
from recall.query import Query
from router.query_features.read import default_features
from router.ranking.live import LiveSettings
from router.ranking.live import open_scorer as open_live
from router.ranking.online import SCORER, OnlineSettings
from router.ranking.online import open_scorer as open_online
from router.ranking.scorer_kind import ScorerContext
from snapshot.event_codes import IMPRESSION, PURCHASE, VIEW
from state import StateSettings, open_state
from state.logged_event import LoggedEvent
from state.published import LiveFolder
from testing.browsing_log import browsing_log, event, token
from testing.served_shop import ServedShop
from tests.learning.stream.learners import learner_of, read_all, settings_of
from tests.learning.stream.logs import append

pytestmark = pytest.mark.slow

NAN = float("nan")


def nonsense(item: str, at_s: int, number: int) -> list[LoggedEvent]:
    """What no client should send and no router lets in, of a shopper and an answer of its own."""
    user = f"poison-{number}"
    answer = token(user, 10**6 + number, at_s, [item])
    fields: list[dict[str, object]] = [
        {"price": NAN},
        {"price": float("inf"), "quantity": 10**18},
        {"position": 2**62},
        {"position": -5, "quantity": -1},
        {"timestamp_ms": 2**62},
        {"timestamp_ms": 0},
        {"timestamp_ms": (at_s - 3_600) * 1_000},
        {"arrived_ms": at_s * 1_000 - 10**9},
        {"scene": "x" * 500, "query": "\ud7ff" * 400},
    ]
    codes = (IMPRESSION, VIEW, PURCHASE, 0, 200)
    return [event(code, item, at_s, user, answer, **more) for more in fields for code in codes]


@pytest.mark.parametrize("clicks", [5_000, pytest.param(100_000, marks=pytest.mark.faults)])
def test_poison_moves_neither_pages_nor_versions(
    shop: ServedShop, item_ids: list[str], tmp_path: Path, clicks: int
) -> None:
    wanted = item_ids[0]
    clean = browsing_log(item_ids[1:], 6_000, seed=8)
    at_s = clean[len(clean) // 2].arrived_ms // 1_000
    robot = [event(VIEW, wanted, at_s, "robot")] * clicks
    for number in range(50):
        answer = token("robot", number, at_s, [wanted])
        robot += [event(code, wanted, at_s, "robot", answer) for code in (IMPRESSION, VIEW, PURCHASE)]
    poison = [*robot, *(each for number in range(3) for each in nonsense(wanted, at_s, number))]
    half = len(clean) // 2
    learners: list[Learner] = []
    columns: list[dict[str, np.ndarray]] = []
    catalogue = shop.dataset.catalogue
    items = catalogue.dense(item_ids[:50])
    now = clean[-1].arrived_ms // 1_000 + 60
    last = event(VIEW, item_ids[1], now)
    for name, log in (("clean", clean), ("poisoned", [*clean[:half], *poison, *clean[half:]])):
        store = open_state(StateSettings(url=f"lmdb://{tmp_path / name}", sync=False))
        append(store, [msgspec.structs.replace(each, event_id="") for each in (*log, last)])
        learner = learner_of(settings_of(shop, tmp_path / f"of {name}"), store)
        read_all(learner)
        assert learner.publish_model()
        learner.publish()
        replica = LiveFolder(tmp_path / f"of {name}")
        assert replica.look()
        query = Query(scene="home", now=now, user_id="u1")
        query = replace(
            query,
            features={
                **default_features(SCORER.features),
                "live_counters": replica.current.counters,
                "online_model": replica.current.model,
            },
        )
        found = unscored(
            items,
            np.ones(items.size, np.uint32),
            np.zeros(items.size, np.float32),
            np.zeros(items.size, np.int32),
        )
        context = ScorerContext(catalogue, {})
        of_live = asyncio.run(open_live(context, LiveSettings()).score(query, found))
        of_online = asyncio.run(open_online(context, OnlineSettings()).score(query, found))
        columns.append({**of_live, **{f"online.{key}": column for key, column in of_online.items()}})
        learners.append(learner)
        learner.close()
        store.close()
    undisturbed, poisoned = learners
    for name, column in columns[1].items():
        assert np.isfinite(column).all(), name
    # Others' items are as they were; the robot's target counts as far as one shopper may.
    for name in ("item_ctr_1h", "item_popularity_1h", "category_ctr_1d", "item_scene_ctr_7d"):
        change = np.abs(columns[1][name][1:] - columns[0][name][1:])
        assert change.max() < 0.02, name
    assert np.expm1(columns[1]["item_popularity_1h"][0]) < 200 + 3 * 50
    assert poisoned.state.drops["shopper_cap"] > clicks * 0.9
    assert min(poisoned.state.drops[reason] for reason in ("ahead", "late", "no_time")) >= 9
    # The guard lets through what still orders the samples as well as before.
    assert abs(poisoned.ranker.recent_auc - undisturbed.ranker.recent_auc) < 0.05
    lifts = columns[1]["online.lift"][1:] - columns[0]["online.lift"][1:]
    assert np.abs(lifts - lifts.mean()).max() < 0.5
