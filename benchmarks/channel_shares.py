"""What moved shares do where the truth is known: one channel turns bad or good, or all are alike.

Simulated shoppers see pages of ten that five channels recall and the fusion by reciprocal ranks joins; what
they click depends on the item's appeal, its slot, and on how much they click at all. A channel's quality is
the correlation of its order with the appeal. Counts, credit, shrinkage and bounds are those of the project;
only the log is left out: `tests/learning/stream/test_channel_counts.py` goes through it.
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
OFFSET = 2.0
PAGE, POOL, RECALLED = 10, 120, 30
_START_S = 1_800_000_000 // 86_400 * 86_400


@dataclass(frozen=True, slots=True)
class World:
    """One simulation.

    quality   channel → quality after `turn_hours`; those not named keep `QUALITY`
    hours     simulated
    pages_per_hour, shoppers  of all shoppers, and how many of them there are
    shares    of the channels, as configured
    robots    shoppers whose pages are a fifth of all, and who click what is due to channel `b` most
    """

    shares: tuple[float, ...] = UNEVEN
    quality: dict[str, float] = field(default_factory=dict)
    turn_hours: int = 24
    hours: int = 72
    pages_per_hour: int = 200
    shoppers: int = 1_500
    robots: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of it: clicks per item shown by hour float64[h], factors by hour float64[h, channels]."""

    ctr: Float64
    factors: Float64


def simulate(world: World, settings: ModulationSettings | None, seed: int) -> Outcome:
    """The outcome with shares moved by the settings; None: with shares that stay."""
    random = np.random.default_rng(seed)
    counts = ChannelCounts(ChannelSettings())
    drops: Counter[str] = Counter()
    activity = random.gamma(2.0, 0.5, world.shoppers)
    shares = np.array(world.shares)
    factors = np.ones(len(CHANNELS))
    by_hour, ctr = [], []
    for hour in range(world.hours):
        at_s = _START_S + hour * 3_600
        quality = np.full(len(CHANNELS), QUALITY)
        if hour >= world.turn_hours:
            for name, value in world.quality.items():
                quality[CHANNELS.index(name)] = value
        counts.advance(at_s // TICK_S)
        if settings is not None:
            # Those of an hour ago: replicas have them within seconds.
            factors = share_factors(counts.rates(hour), "home", "", CHANNELS, settings.limits())
        clicked = seen = 0
        credits, slots, clicks, shoppers = [], [], [], []
        for _ in range(world.pages_per_hour):
            robot = world.robots > 0 and random.random() < 0.2
            first, end = (0, world.robots) if robot else (world.robots, world.shoppers)
            shopper = int(random.integers(first, end))
            credit, page_clicks = _page(random, quality, shares, factors, activity[shopper])
            if robot:
                page_clicks = credit[:, 1] == credit.max(axis=1)
            else:
                clicked += int(page_clicks.sum())
                seen += credit.shape[0]
            credits.append(credit)
            slots.append(np.arange(credit.shape[0]))
            clicks.append(page_clicks)
            shoppers.append(np.full(credit.shape[0], shopper + 1, np.uint64))
        count = sum(page.size for page in slots)
        items = CreditedItems(
            "home", "", CHANNELS, np.arange(count), np.concatenate(slots), np.concatenate(credits)
        )
        done = Done(
            np.concatenate(shoppers),
            np.full(count, at_s, np.int64),
            np.concatenate(clicks),
            np.zeros(count, np.bool_),
        )
        counts.add([items], done, drops, late=False)
        ctr.append(clicked / seen)
        by_hour.append(factors)
    return Outcome(np.array(ctr), np.array(by_hour))


def _page(
    random: np.random.Generator, quality: Float64, shares: Float64, factors: Float64, activity: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Credits uint8[n, channels] and clicks bool[n] of a page."""
    appeal = random.standard_normal(POOL)
    noise = random.standard_normal((len(CHANNELS), POOL))
    scores = quality[:, None] * appeal + np.sqrt(1 - np.square(quality))[:, None] * noise
    recalled = []
    for row in scores:
        items = np.argsort(-row)[:RECALLED]
        recalled.append(
            Recalled(
                (items + 1).astype(np.int32), row[items].astype(np.float32), np.zeros(RECALLED, np.int32)
            )
        )
    shown = with_channel_ranks(fuse(recalled, shares * factors, PAGE, OFFSET), recalled, CHANNELS)
    rule = CreditRule(dict(zip(CHANNELS, shares.tolist(), strict=True)), OFFSET)
    chance = 0.04 * activity * np.exp(0.7 * appeal[shown.items - 1]) / (1 + np.arange(len(shown))) ** 0.4
    return credits_of(shown, rule), random.random(len(shown)) < np.minimum(chance, 0.9)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what moved shares do in each world, beside shares that stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="simulations of each world")
    parser.add_argument("--caution", type=float, default=ModulationSettings().caution)
    parser.add_argument("--world", help="one of them alone")
    parser.add_argument("--power", type=float, default=ModulationSettings().clicks)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--pages", type=int, default=200, help="pages an hour")
    given = parser.parse_args(arguments)
    worlds = {
        "alike, even": World(EVEN),
        "alike, uneven": World(),
        "a turns bad": World(quality={"a": 0.0}),
        "a half as good": World(quality={"a": 0.3}),
        "d turns good": World(quality={"d": 0.95}),
        "even, 3 robots": World(EVEN, robots=3),
    }
    settings = ModulationSettings(caution=given.caution, clicks=given.power)
    print("world             CTR stay  CTR moved  gain    factors at the end (mean of seeds), largest move")
    for name, plain in worlds.items():
        if given.world not in (None, name):
            continue
        world = replace(plain, hours=given.hours, pages_per_hour=given.pages)
        stay = [simulate(world, None, seed) for seed in range(given.seeds)]
        moved = [simulate(world, settings, seed) for seed in range(given.seeds)]
        late = slice(world.turn_hours + 12, None)
        before = np.array([outcome.ctr[late].mean() for outcome in stay])
        after = np.array([outcome.ctr[late].mean() for outcome in moved])
        ends = np.mean([outcome.factors[-1] for outcome in moved], axis=0)
        most = max(float(np.abs(np.log(outcome.factors)).max()) for outcome in moved)
        print(
            f"{name:17} {before.mean():.4f}    {after.mean():.4f}     "
            f"{after.mean() / before.mean() - 1:+.3f}  "
            f"{np.round(ends, 2)}  x{np.exp(most):.2f}"
        )


if __name__ == "__main__":
    main()
