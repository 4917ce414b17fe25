"""What moved shares do where the truth is known: one channel turns bad or good, or all are alike.

Simulated shoppers see pages of ten that five channels recall and the fusion by reciprocal ranks joins; what
they click depends on the item's appeal, its slot, and on how much they click at all, and what they buy of it
on the item's worth. A channel's quality is the correlation of its order with the appeal, its use that with
the worth: one that finds what is clicked and not wanted after a second look has a use below zero. Counts,
credit, shrinkage and bounds are those of the project; only the log is left out:
`tests/learning/stream/test_channel_counts.py` goes through it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from learning.stream.channel_counts import ChannelCounts, Done
from learning.stream.channel_settings import ChannelSettings
from learning.stream.credited_answers import CreditedItems
from pipeline.channel_ranks import with_channel_ranks
from pipeline.stages import Recalled
from router.fusion.credit import CreditRule, credits_of
from router.fusion.modulation_settings import ModulationSettings
from router.fusion.reciprocal_rank import fuse
from state.channel_rates.moves import share_factors
from state.live_counters.decay import TICK_S

Float64 = NDArray[np.float64]

CHANNELS = ("a", "b", "c", "d", "e")
EVEN = (0.2, 0.2, 0.2, 0.2, 0.2)
UNEVEN = (0.4, 0.25, 0.15, 0.1, 0.1)
QUALITY = 0.6
USE = 0.3
OFFSET = 2.0
PAGE, POOL, RECALLED = 10, 120, 30
_START_S = 1_800_000_000 // 86_400 * 86_400


@dataclass(frozen=True, slots=True)
class World:
    """One simulation.

    quality   channel → quality after `turn_hours`; those not named keep `QUALITY`
    use       channel → use after `turn_hours`; those not named keep `USE`; the squares of quality and use
              are at most 1 together
    hours     simulated
    pages_per_hour, shoppers  of all shoppers, and how many of them there are
    shares    of the channels, as configured
    robots    shoppers whose pages are a fifth of all, and who click what is due to channel `b` most
    """

    shares: tuple[float, ...] = UNEVEN
    quality: dict[str, float] = field(default_factory=dict)
    use: dict[str, float] = field(default_factory=dict)
    turn_hours: int = 24
    hours: int = 72
    pages_per_hour: int = 200
    shoppers: int = 1_500
    robots: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of it by hour: clicks, purchases per item shown float64[h], factors float64[h, channels]."""

    ctr: Float64
    bought: Float64
    factors: Float64


def simulate(world: World, settings: ModulationSettings | None, seed: int) -> Outcome:
    """The outcome with shares moved by the settings; None: with shares that stay."""
    random = np.random.default_rng(seed)
    counts = ChannelCounts(ChannelSettings())
    drops: Counter[str] = Counter()
    activity = random.gamma(2.0, 0.5, world.shoppers)
    shares = np.array(world.shares)
    factors = np.ones(len(CHANNELS))
    by_hour, ctr, sales = [], [], []
    for hour in range(world.hours):
        at_s = _START_S + hour * 3_600
        turned = hour >= world.turn_hours
        quality = np.array([world.quality.get(name, QUALITY) if turned else QUALITY for name in CHANNELS])
        use = np.array([world.use.get(name, USE) if turned else USE for name in CHANNELS])
        counts.advance(at_s // TICK_S)
        if settings is not None:
            # Those of an hour ago: replicas have them within seconds.
            factors = share_factors(counts.rates(hour), "home", "", CHANNELS, settings.limits())
        clicked = bought = seen = 0
        credits, slots, clicks, purchases, shoppers = [], [], [], [], []
        for _ in range(world.pages_per_hour):
            robot = world.robots > 0 and random.random() < 0.2
            first, end = (0, world.robots) if robot else (world.robots, world.shoppers)
            shopper = int(random.integers(first, end))
            credit, page_clicks, page_purchases = _page(
                random, quality, use, shares * factors, shares, activity[shopper]
            )
            if robot:
                page_clicks = credit[:, 1] == credit.max(axis=1)
                page_purchases = np.zeros_like(page_clicks)
            else:
                clicked += int(page_clicks.sum())
                bought += int(page_purchases.sum())
                seen += credit.shape[0]
            credits.append(credit)
            slots.append(np.arange(credit.shape[0]))
            clicks.append(page_clicks)
            purchases.append(page_purchases)
            shoppers.append(np.full(credit.shape[0], shopper + 1, np.uint64))
        count = sum(page.size for page in slots)
        items = CreditedItems(
            "home", "", CHANNELS, np.arange(count), np.concatenate(slots), np.concatenate(credits)
        )
        done = Done(
            np.concatenate(shoppers),
            np.full(count, at_s, np.int64),
            np.concatenate(clicks),
            np.concatenate(purchases),
        )
        counts.add([items], done, drops, late=False)
        ctr.append(clicked / seen)
        sales.append(bought / seen)
        by_hour.append(factors)
    return Outcome(np.array(ctr), np.array(sales), np.array(by_hour))


def _page(
    random: np.random.Generator,
    quality: Float64,
    use: Float64,
    moved: Float64,
    configured: Float64,
    activity: float,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Credits uint8[n, channels], clicks and purchases bool[n] of a page joined by the moved shares."""
    appeal, worth = random.standard_normal((2, POOL))
    noise = random.standard_normal((len(CHANNELS), POOL))
    rest = np.sqrt(1 - np.square(quality) - np.square(use))
    scores = quality[:, None] * appeal + use[:, None] * worth + rest[:, None] * noise
    recalled = []
    for row in scores:
        best = np.argsort(-row)[:RECALLED]
        recalled.append(
            Recalled((best + 1).astype(np.int32), row[best].astype(np.float32), np.zeros(RECALLED, np.int32))
        )
    shown = with_channel_ranks(fuse(recalled, moved, PAGE, OFFSET), recalled, CHANNELS)
    rule = CreditRule(dict(zip(CHANNELS, configured.tolist(), strict=True)), OFFSET)
    shown_at = shown.items - 1
    chance = 0.04 * activity * np.exp(0.7 * appeal[shown_at]) / (1 + np.arange(len(shown))) ** 0.4
    clicks = random.random(len(shown)) < np.minimum(chance, 0.9)
    purchases = clicks & (random.random(len(shown)) < np.minimum(0.15 * np.exp(0.7 * worth[shown_at]), 0.9))
    return credits_of(shown, rule), clicks, purchases


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what moved shares do in each world, beside shares that stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="simulations of each world")
    parser.add_argument("--caution", type=float, default=ModulationSettings().caution)
    parser.add_argument("--world", help="one of them alone")
    parser.add_argument("--clicks", type=float, default=ModulationSettings().clicks, help="their power")
    parser.add_argument("--purchases", type=float, default=ModulationSettings().purchases, help="likewise")
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--pages", type=int, default=200, help="pages an hour")
    given = parser.parse_args(arguments)
    worlds = {
        "alike, even": World(EVEN),
        "alike, uneven": World(),
        "a turns bad": World(quality={"a": 0.0}),
        "a half as good": World(quality={"a": 0.3}),
        "d turns good": World(quality={"d": 0.95}, use={"d": 0.1}),
        "a turns to bait": World(quality={"a": 0.75}, use={"a": -0.6}),
        "d finds what sells": World(use={"d": 0.75}),
        "even, 3 robots": World(EVEN, robots=3),
    }
    settings = ModulationSettings(caution=given.caution, clicks=given.clicks, purchases=given.purchases)
    print(f"{'':19}clicks per item shown    purchases per item shown")
    print(f"{'world':19}{'stay    moved   gain':25}{'stay     moved    gain':26}factors, largest move")
    for name, plain in worlds.items():
        if given.world not in (None, name):
            continue
        world = replace(plain, hours=given.hours, pages_per_hour=given.pages)
        stay = [simulate(world, None, seed) for seed in range(given.seeds)]
        moved = [simulate(world, settings, seed) for seed in range(given.seeds)]
        late = slice(world.turn_hours + 12, None)
        rates = [
            [float(np.mean([each[late].mean() for each in by_seed])) for by_seed in pair]
            for pair in (
                ([outcome.ctr for outcome in stay], [outcome.ctr for outcome in moved]),
                ([outcome.bought for outcome in stay], [outcome.bought for outcome in moved]),
            )
        ]
        ends = np.mean([outcome.factors[-1] for outcome in moved], axis=0)
        most = max(float(np.abs(np.log(outcome.factors)).max()) for outcome in moved)
        (ctr, ctr_moved), (sales, sales_moved) = rates
        print(
            f"{name:19}{ctr:.4f}  {ctr_moved:.4f}  {ctr_moved / ctr - 1:+.3f}   "
            f"{sales:.5f}  {sales_moved:.5f}  {sales_moved / sales - 1:+.3f}    "
            f"{np.round(ends, 2)}  x{np.exp(most):.2f}"
        )


if __name__ == "__main__":
    main()
