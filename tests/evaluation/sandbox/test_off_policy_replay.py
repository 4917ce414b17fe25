"""Off-policy estimates from a feature log and an event log, against click rates that are known."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from evaluation.sandbox.logged_draws import read_draws
from evaluation.sandbox.target_policy import ReplayedDraw, fidelity, replay_draws, with_rewards
from foundation.statistics.off_policy import NoPropensities, estimate
from snapshot.event_codes import IMPRESSION, VIEW
from state.logged_event import LoggedEvent
from testing.served_shop import NOW
from tests.evaluation.sandbox.conftest import Shop
from tests.evaluation.sandbox.simulated_log import SimulatedLog, simulated_log, with_propensities

pytestmark = pytest.mark.slow
USERS = tuple(f"u{number:04d}" for number in range(40))
ALL = 1_000_000


@pytest.fixture(scope="module")
def log(shop: Shop) -> SimulatedLog:
    return simulated_log(shop.sandbox.present, USERS, visits=3, now=NOW, seed=5)


def truth(draws: list[ReplayedDraw], log: SimulatedLog) -> float:
    """The target policy's click rate in these contexts."""
    return float(np.mean([each.pool.probabilities @ log.click_rates[each.pool.items] for each in draws]))


@pytest.mark.parametrize("what", ["a lower temperature", "another version", "other candidates"])
def test_estimates_cover_the_truth_of_another_setting(shop: Shop, log: SimulatedLog, what: str) -> None:
    _, tested = {
        "a lower temperature": lambda: shop.sandbox.patched("home", {"exploration": {"temperature": 0.04}}),
        "another version": lambda: shop.sandbox.version(2),
        "other candidates": lambda: shop.sandbox.patched("home", {"channels": {"hot": {"share": 0.1}}}),
    }[what]()
    drawn = read_draws(log.pages, log.events, "home", ALL)
    draws = asyncio.run(replay_draws(drawn.pages, shop.sandbox.present, tested))
    assert len(draws) == drawn.drawn - drawn.unseen > 350
    assert fidelity(draws) == 1
    found, expected = estimate(with_rewards(draws, 1)), truth(draws, log)
    unsupported = float(np.mean([draw.unsupported for draw in draws]))
    # Four errors, since several are looked at.
    assert abs(found.weight.value - (1 - unsupported)) < 4 * found.weight.error
    if what == "other candidates":
        # What could never be drawn has no weight, which the check of the mean weight finds.
        assert unsupported > 0.1
        assert found.weight.high < 0.95
        return
    assert unsupported == 0
    for each in (found.ips, found.snips, found.dr):
        assert abs(each.value - expected) < 4 * each.error
        assert each.error < 0.1


def test_the_present_setting_gives_its_own_probabilities_again(shop: Shop, log: SimulatedLog) -> None:
    drawn = read_draws(log.pages[:40], log.events, "home", ALL)
    draws = asyncio.run(replay_draws(drawn.pages, shop.sandbox.present, shop.sandbox.present))
    for draw in draws:
        assert draw.target == draw.replayed == pytest.approx(draw.propensity, rel=1e-5)
        assert draw.pool.probabilities.sum() == pytest.approx(1)
        assert draw.unsupported == 0
    found = estimate(with_rewards(draws, 1))
    assert found.ips_gain.value == pytest.approx(0, abs=1e-5)


def test_draws_are_refused_where_no_propensity_is_logged(log: SimulatedLog) -> None:
    plain = [with_propensities(page, None) for page in log.pages[:7]]
    with pytest.raises(NoPropensities, match=r"7 answers of scene home and no propensity.*Set exploration"):
        read_draws(plain, log.events, "home", ALL)
    none_drawn = [with_propensities(page, np.full(len(page.item_ids), np.nan)) for page in log.pages[:7]]
    with pytest.raises(NoPropensities, match="no propensity"):
        read_draws(none_drawn, log.events, "home", ALL)
    with pytest.raises(NoPropensities, match="0 answers of scene cart"):
        read_draws(log.pages, log.events, "cart", ALL)


def test_clicks_alone_are_no_rewards(log: SimulatedLog) -> None:
    clicks = [(seq, event) for seq, event in log.events if event.event == VIEW]
    with pytest.raises(NoPropensities, match="clicks alone would count hits only"):
        read_draws(log.pages, clicks, "home", ALL)


def test_others_events_and_unseen_slots_do_not_count(log: SimulatedLog) -> None:
    page = next(page for page in log.pages if np.count_nonzero(~np.isnan(page.propensities)) >= 2)
    first, second = np.flatnonzero(~np.isnan(page.propensities))[:2]
    user = next(event.user_id for _, event in log.events if event.attribution_token == page.attribution_token)
    stranger = "u9999"

    def event(code: int, slot: int, who: str, event_id: str = "") -> tuple[int, LoggedEvent]:
        item = page.item_ids[slot]
        return 1, LoggedEvent(
            who, item, code, 0, 0, attribution_token=page.attribution_token, event_id=event_id
        )

    drawn = read_draws(
        [page],
        [
            event(IMPRESSION, first, user),
            event(VIEW, first, stranger),
            event(IMPRESSION, second, stranger),
            event(IMPRESSION, second, user, "exposure:1"),
            event(VIEW, second, user),
        ],
        "home",
        ALL,
    )
    (found,) = drawn.pages
    assert found.user_id == user
    assert found.slots.tolist() == [first]
    assert found.clicked.tolist() == [False]
    assert drawn.unseen == np.count_nonzero(~np.isnan(page.propensities)) - 1


def test_the_newest_draws_are_kept(log: SimulatedLog) -> None:
    drawn = read_draws(log.pages, log.events, "home", 50)
    assert 50 <= drawn.drawn < 60
    assert drawn.pages[-1].page.request_id in {page.request_id for page in log.pages[-5:]}


def test_a_history_that_differs_is_seen(shop: Shop, log: SimulatedLog) -> None:
    """Pages replayed for another shopper do not give the logged probabilities."""
    drawn = read_draws(log.pages[:40], log.events, "home", ALL)
    others = [replace(page, user_id=USERS[-1]) for page in drawn.pages]
    draws = asyncio.run(replay_draws(others, shop.sandbox.present, shop.sandbox.present))
    assert fidelity(draws) < 0.8
