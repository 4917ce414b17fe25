"""Predicted satisfaction: what is learned from ratings, when it is off, and the way to a page."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.satisfaction.prediction.fit import Fitted, ItemRatings, fit
from learning.satisfaction.prediction.ratings import CollectedRatings, Entries
from learning.satisfaction.prediction.settings import PredictionSettings
from pipeline.candidates import unscored
from router.query_features.satisfaction import FEATURE
from router.ranking.satisfaction import SatisfactionScorerSettings, open_scorer
from router.ranking.scorer_kind import ScorerContext
from snapshot.event_codes import IMPRESSION, PURCHASE, VIEW
from snapshot.item_keys import item_keys
from state import StateSettings, open_state
from state.feedback_codes import RATED
from state.live_model.satisfaction import SatisfactionModel
from state.logged_event import LoggedEvent, LoggedRating
from state.published import LiveFolder
from testing.browsing_log import CODEC, START_S, event
from testing.browsing_log import token as token_of
from testing.served_shop import make_shop
from tests.learning.stream.logs import append, facts_of, small_catalogue
from tests.recall.small_shop import make_query

SETTINGS = PredictionSettings()


def simulated(count: int, seed: int, spread: float) -> tuple[ItemRatings, np.ndarray]:
    """Ratings of 60 items of 6 categories and 4 shops, and their true probabilities; `spread` in log-odds."""
    random = np.random.default_rng(seed)
    taste = [random.normal(0, spread, size) for size in (60, 6, 4)]
    items = random.integers(60, size=count)
    groups = (items, items % 6, items % 4)
    truth = 1 / (1 + np.exp(-0.8 - sum(of[group] for of, group in zip(taste, groups, strict=True))))
    keys = [group.astype(np.uint64) + np.uint64(1) for group in groups]
    return ItemRatings(*keys, random.random(count) < truth), truth


def test_ratings_that_tell_are_learned_and_calibrated() -> None:
    ratings, truth = simulated(6_000, seed=1, spread=0.6)
    fitted = fit(ratings, SETTINGS)
    assert fitted.off == ""
    assert isinstance(fitted.model, SatisfactionModel)
    assert fitted.model.ratings == 6_000
    assert fitted.log_loss < fitted.mean_log_loss - 0.02
    assert fitted.calibration_error < 0.05
    own, known = fitted.model.items.of(ratings.items)
    assert known.all()
    error = np.abs(1 / (1 + np.exp(-own)) - truth).mean()
    assert error < 0.4 * np.abs(truth - truth.mean()).mean()
    # An item that nobody rated, of a known category and shop.
    best = ratings.categories[np.argmax(fitted.model.categories.of(ratings.categories)[0])]
    assert fitted.model.categories.of(np.array([best, 99], np.uint64))[0][0] > 0


def test_ratings_that_tell_nothing_or_are_few_give_no_model() -> None:
    found = [fit(simulated(600, seed, spread=0.0)[0], SETTINGS) for seed in range(8)]
    assert sum(fitted.model is not None for fitted in found) <= 2
    assert {fitted.off for fitted in found} <= {"", "no_better"}
    few = fit(simulated(199, 1, spread=2.0)[0], SETTINGS)
    assert (few.model, few.off) == (None, Fitted(None, "few_ratings").off)


def rating(user: str, item: str, value: int, at_s: int, token: str = "") -> LoggedEvent:
    said = LoggedRating({"price": value}, [])
    return event(RATED, item, at_s, user, token, rating=said)


def no_groups(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(items.size, np.uint64), np.zeros(items.size, np.uint64)


def read(collected: CollectedRatings, entries: Entries, drops: Counter[str]) -> None:
    for part in collected.parts(entries):
        collected.read(part, no_groups, lambda answer: np.zeros(0, np.uint64), drops)


def test_the_latest_rating_of_a_shopper_and_item_counts() -> None:
    log = [rating("u1", "a", 5, 1), rating("u2", "a", 5, 2), rating("u1", "a", 1, 3), rating("u1", "b", 4, 4)]
    entries = list(enumerate([*log, rating("u3", "", 5, 5)], start=1))
    drops: Counter[str] = Counter()
    whole, cut = CollectedRatings(SETTINGS), CollectedRatings(SETTINGS)
    read(whole, entries, drops)
    for entry in entries:
        kept = cut.exported()
        cut = CollectedRatings(SETTINGS)
        cut.load(kept)
        read(cut, [entry], Counter())
    for collected in (whole, cut):
        found = collected.ratings()
        assert found.items.tolist() == item_keys(["a", "a", "b"]).tolist()
        assert found.satisfied.tolist() == [True, False, True]
        assert collected.changes == 4
    assert drops == {"rating_without_item": 1}


def test_the_latest_ratings_are_kept_however_the_log_is_cut() -> None:
    random = np.random.default_rng(1)
    entries = [
        (seq, rating(f"u{random.integers(2_000)}", "a", int(random.integers(1, 6)), seq))
        for seq in range(1, 3_001)
    ]
    states = []
    for size in (3_000, 170):
        collected = CollectedRatings(PredictionSettings(most_ratings=1_000))
        for begin in range(0, 3_000, size):
            read(collected, entries[begin : begin + size], Counter())
        assert len(collected) == len(collected.ratings()) == 1_000
        states.append({name: column.tolist() for name, column in collected.exported().items()})
    assert states[0] == states[1]


def test_a_flood_of_ratings_without_an_item_is_looked_up_within_a_bound() -> None:
    asked: list[int] = []

    def credited(answer: int) -> np.ndarray:
        asked.append(answer)
        return item_keys(["a"])

    entries = [(seq, rating(f"u{seq}", "", 5, START_S)) for seq in range(1, 701)]
    entries.append((701, rating("late", "", 5, START_S + 7_200)))
    drops: Counter[str] = Counter()
    collected = CollectedRatings(SETTINGS)
    for part in collected.parts(entries):
        collected.read(part, no_groups, credited, drops)
    assert len(asked) == len(collected) == 601
    assert drops == {"rating_without_item": 100}


@pytest.mark.slow
def test_ratings_in_the_log_become_a_column_of_the_page(lmdb_settings: StateSettings, tmp_path: Path) -> None:
    shop, store = make_shop(tmp_path), open_state(lmdb_settings)
    catalogue = shop.dataset.catalogue
    good, bad, bought, opened = catalogue.item_ids(np.arange(1, 5))
    log = []
    for number in range(150):
        log += [
            rating(f"u{number}", good, 5, START_S + number),
            rating(f"u{number}", bad, 1 + number % 2, START_S + number),
        ]
    # A rating that names no item is of what was bought, or else opened, of its answer.
    for number in range(60):
        user, at = f"v{number}", START_S + 200 + number
        token = token_of(user, number, at, [bought, opened])
        log += [
            event(code, item, at, user, token) for item in (bought, opened) for code in (IMPRESSION, VIEW)
        ]
        log += [event(PURCHASE, bought, at, user, token), rating(user, "", 5, at + 1, token)]
    append(store, log)
    settings = shop.settings("127.0.0.1:1", learning={"folder": str(tmp_path / "learning")})

    def learner(batch_events: int, folder: str) -> Learner:
        chosen = settings.learning.model_copy(
            update={
                "folder": tmp_path / folder,
                "stream": settings.learning.stream.model_copy(update={"batch_events": batch_events}),
            }
        )
        made = Learner(chosen, store, "log", CODEC, facts_of(settings), LearnerMetrics(ProcessMetrics()))
        while made.step():
            pass
        return made

    first, other = learner(10_000, "learning"), learner(7, "other")
    assert first.satisfaction.ratings.exported().keys() == other.satisfaction.ratings.exported().keys()
    assert first.digest() == other.digest()
    first.publish_satisfaction()
    assert first.satisfaction.fitted.off == ""
    assert first.state.drops["rating_without_item"] == 0
    replica = LiveFolder(tmp_path / "learning")
    assert replica.look()
    scorer = open_scorer(ScorerContext(catalogue, {}), SatisfactionScorerSettings())
    items = np.arange(1, 6, dtype=np.int32)
    found = unscored(items, np.ones(5, np.uint32), np.zeros(5, np.float32), np.zeros(5, np.int32))
    query = replace(make_query(), features={"satisfaction": replica.current.satisfaction})
    columns = asyncio.run(scorer.score(query, found))
    score = dict(zip((good, bad, bought, opened, "unrated"), columns["score"].tolist(), strict=True))
    assert score[bad] < 0.2 < 0.8 < score[good]
    assert score[bought] > 0.6 > score[bad]
    assert score[opened] != score[bought]
    assert scorer.model(query) == ("satisfaction", "360")
    assert columns["lift"][0] > 0 > columns["lift"][1]
    # Another learner goes on from the checkpoint, and publishes at once.
    first.checkpoint()
    first.close()
    again = learner(10_000, "learning")
    assert again.digest() == other.digest()
    replica.look()
    assert replica.current.satisfaction.ratings == 360
    again.close()
    other.close()
    store.close()


def test_without_a_model_the_columns_are_the_same_for_all(tmp_path: Path) -> None:
    scorer = open_scorer(ScorerContext(small_catalogue(tmp_path), {}), SatisfactionScorerSettings())
    items = np.arange(1, 4, dtype=np.int32)
    found = unscored(items, np.ones(3, np.uint32), np.zeros(3, np.float32), np.zeros(3, np.int32))
    query = replace(make_query(), features={"satisfaction": FEATURE.default})
    columns = asyncio.run(scorer.score(query, found))
    assert {name: column.tolist() for name, column in columns.items()} == {"score": [0] * 3, "lift": [0] * 3}
    assert scorer.model(query).name == ""
