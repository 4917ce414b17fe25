"""A seeded log of a shop of any size with the shape of real ones, written block by block.

In brackets what the sample (1.46 million purchases, 68,260 items) and a part of Taobao's UserBehavior (815
shoppers) measure; a log of 100,000 items has:

    items       the r-th most taken of N has weight r^-.65 · exp(-r / .28 N): log-log slopes of -.62 up to
                rank 100, -.66 up to 1,000, -.80 up to 10,000 (sample: -.61, -.64, -.86), then steeper; the
                first 1,000 have .33 of the events, the first 10,000 .72 (.37, .80)
    shoppers    one for ten items, of 100 events, log-normal with a deviation of 1.1 (592 and 103; 1.3, .9)
    sessions    7.1 events (10 and 6), log-normal
    repeats     .37 of the events take again what the shopper took before (.41 and .24)
    categories  4 · √N of sizes by Zipf; a shopper knows 19 (91 and 25), and .18 of the events are followed by
                one of their category (.08 and .47)
    behaviour   views .9, carts .053, favourites .028, purchases .021 (Taobao)

Shoppers of one block have all their events in it, and a block depends on the recipe and its number alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

EVENTS_PER_ITEM = 10
EVENTS_PER_SHOPPER = 100
BLOCK_SHOPPERS = 8_192
BLOCK_ITEMS = 262_144

_HEAD_EXPONENT, _TAIL = 0.65, 0.28
_ACTIVITY_DEVIATION, _MOST_EVENTS = 1.1, 3_000
_SESSION_MEDIAN, _SESSION_DEVIATION = 4.0, 1.1
_REPEATED, _OF_ONE_CATEGORY = 0.25, 0.45
_KNOWN_CATEGORIES, _CATEGORIES_BY_ROOT, _CATEGORY_EXPONENT = 40, 4.0, 0.9
_ITEMS_PER_BRAND, _BRAND_EXPONENT, _WORDS, _TITLE_WORDS = 10, 0.8, 20_000, 4
_BEHAVIOURS = ("view", "favorite", "cart", "purchase")
_SHARES = (0.898, 0.028, 0.053, 0.021)
_START_S, _DAYS, _DAY_S = 1_700_000_000, 60, 86_400
_GAP_MEDIAN_S, _GAP_DEVIATION = 40.0, 1.0
_GENDERS, _AGES, _CITIES = ("f", "m"), ("18-24", "25-34", "35-44", "45-54", "55+"), 50


@dataclass(frozen=True)
class ScaleLog:
    """What a log of so many items and such a seed holds; two of equal fields hold the same.

    Attributes:
        items: N, in 100 or more; there are ten times as many events, and a tenth as many shoppers.
        seed: of everything.
    """

    items: int
    seed: int = 1

    @property
    def shoppers(self) -> int:
        """Number of shoppers, of ids 1…U."""
        return self.items * EVENTS_PER_ITEM // EVENTS_PER_SHOPPER

    @property
    def categories(self) -> int:
        """Number of categories, each with one item or more."""
        return max(2, int(_CATEGORIES_BY_ROOT * self.items**0.5))

    @property
    def blocks(self) -> int:
        """Number of blocks of shoppers."""
        return -(-self.shoppers // BLOCK_SHOPPERS)

    def _random(self, part: int, number: int = 0) -> np.random.Generator:
        return np.random.default_rng((self.seed, part, number))

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """float64[N], of item 1…N in the order of ids: how often it is taken, without a unit."""
        rank = np.arange(1, self.items + 1, dtype=np.float64)
        weights = rank**-_HEAD_EXPONENT * np.exp(-rank / (_TAIL * self.items))
        return weights[self._random(0).permutation(self.items)]

    @cached_property
    def category(self) -> NDArray[np.int32]:
        """int32[N], 0-based, of item 1…N."""
        random, count = self._random(1), self.categories
        category = _by_zipf(random, count, _CATEGORY_EXPONENT, self.items)
        category[random.permutation(self.items)[:count]] = np.arange(count)
        return category

    @cached_property
    def _by_category(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
        """Items (0-based) category by category, sums of their weights, and where each category begins."""
        order = np.argsort(self.category, kind="stable").astype(np.int32)
        sums = np.cumsum(self.weights[order])
        first = np.searchsorted(self.category[order], np.arange(self.categories + 1))
        return order, sums, first

    def block(self, number: int) -> pa.Table:
        """user_id, item_id int64, event str, timestamp int64 (unix seconds): shoppers one after the other."""
        random = self._random(2, number)
        first = number * BLOCK_SHOPPERS
        shoppers = min(BLOCK_SHOPPERS, self.shoppers - first)
        spread = _ACTIVITY_DEVIATION
        drawn = np.exp(random.normal(np.log(EVENTS_PER_SHOPPER) - spread**2 / 2, spread, shoppers))
        counts = np.clip(np.rint(drawn), 1, _MOST_EVENTS).astype(np.int64)
        shopper = np.repeat(np.arange(shoppers), counts)
        begins = np.repeat(np.cumsum(counts) - counts, counts)
        session = _sessions(random, shopper)
        item = self._items(random, shopper, session, shoppers)
        again = np.flatnonzero((random.random(len(item)) < _REPEATED) & (np.arange(len(item)) > begins))
        item[again] = item[begins[again] + (random.random(len(again)) * (again - begins[again])).astype(int)]
        behaviour = random.choice(len(_BEHAVIOURS), len(item), p=_SHARES).astype(np.int8)
        return pa.table(
            {
                "user_id": first + 1 + shopper,
                "item_id": item.astype(np.int64) + 1,
                "event": pa.DictionaryArray.from_arrays(behaviour, list(_BEHAVIOURS)).cast(pa.string()),
                "timestamp": _times(random, shopper, session),
            }
        )

    def _items(
        self,
        random: np.random.Generator,
        shopper: NDArray[np.int64],
        session: NDArray[np.int64],
        shoppers: int,
    ) -> NDArray[np.int32]:
        """int32, 0-based, of each event: of a category that the shopper knows, by weight."""
        order, sums, first = self._by_category
        before = np.concatenate(([0.0], sums))[first]
        known = np.searchsorted(before[1:], random.random((shoppers, _KNOWN_CATEGORIES)) * sums[-1], "right")
        own = random.integers(0, _KNOWN_CATEGORIES, len(shopper))
        of_session = random.integers(0, _KNOWN_CATEGORIES, int(session[-1]) + 1)
        held = random.random(len(shopper)) < _OF_ONE_CATEGORY
        category = known[shopper, np.where(held, of_session[session], own)]
        low, high = before[category], before[category + 1]
        place = np.searchsorted(sums, low + random.random(len(shopper)) * (high - low), "right")
        # A sum that rounds up to the next category's stays in its own.
        chosen: NDArray[np.int32] = order[np.clip(place, first[category], first[category + 1] - 1)]
        return chosen

    def item_blocks(self) -> Iterator[pa.Table]:
        """item_id int64, category, brand, title str, price float64, of items 1…N."""
        brands = max(2, self.items // _ITEMS_PER_BRAND)
        for number, first in enumerate(range(0, self.items, BLOCK_ITEMS)):
            random, count = self._random(3, number), min(BLOCK_ITEMS, self.items - first)
            words = _by_zipf(random, _WORDS, 1.0, count * _TITLE_WORDS).reshape(count, -1)
            yield pa.table(
                {
                    "item_id": np.arange(first + 1, first + count + 1),
                    "category": [f"category {each}" for each in self.category[first : first + count]],
                    "brand": [f"brand {each}" for each in _by_zipf(random, brands, _BRAND_EXPONENT, count)],
                    "title": [" ".join(f"word{word}" for word in row) for row in words.tolist()],
                    "price": np.round(np.exp(random.normal(3.0, 1.0, count)), 2),
                }
            )

    def shopper_blocks(self) -> Iterator[pa.Table]:
        """user_id int64, gender, age_band, city str, of all shoppers."""
        for number in range(self.blocks):
            random, first = self._random(4, number), number * BLOCK_SHOPPERS
            count = min(BLOCK_SHOPPERS, self.shoppers - first)
            yield pa.table(
                {
                    "user_id": np.arange(first + 1, first + count + 1),
                    "gender": np.array(_GENDERS)[random.integers(0, len(_GENDERS), count)].tolist(),
                    "age_band": np.array(_AGES)[random.integers(0, len(_AGES), count)].tolist(),
                    "city": [f"city {each}" for each in _by_zipf(random, _CITIES, 1.0, count)],
                }
            )

    def write(self, folder: Path) -> dict[str, int]:
        """Writes events.parquet, items.parquet and users.parquet into an existing folder; returns their rows.

        One block at a time is in memory, beside 32 bytes per item.
        """
        events = (self.block(number) for number in range(self.blocks))
        tables = {"items": self.item_blocks(), "users": self.shopper_blocks(), "events": events}
        return {name: _write(folder / f"{name}.parquet", blocks) for name, blocks in tables.items()}


def _write(path: Path, blocks: Iterator[pa.Table]) -> int:
    rows, first = 0, next(blocks)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        while first is not None:
            writer.write_table(first)
            rows += first.num_rows
            first = next(blocks, None)
    return rows


def _by_zipf(random: np.random.Generator, count: int, exponent: float, size: int) -> NDArray[np.int32]:
    """int32[size] of 0…count-1, the r-th by r to the power of -exponent."""
    sums = np.cumsum(np.arange(1, count + 1, dtype=np.float64) ** -exponent)
    drawn: NDArray[np.int32] = np.searchsorted(sums, random.random(size) * sums[-1], "right").astype(np.int32)
    return drawn


def _sessions(random: np.random.Generator, shopper: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each event's session, 0-based and growing; none is of two shoppers."""
    begins = np.zeros(len(shopper), np.bool_)
    begins[0] = True
    begins[1:] = shopper[1:] != shopper[:-1]
    # No session is shorter than one event, so that these many reach the end.
    drawn = np.exp(random.normal(np.log(_SESSION_MEDIAN), _SESSION_DEVIATION, len(shopper)))
    ends = np.cumsum(np.maximum(1, np.rint(drawn)).astype(np.int64))
    begins[ends[ends < len(shopper)]] = True
    return np.cumsum(begins) - 1


def _times(
    random: np.random.Generator, shopper: NDArray[np.int64], session: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Unix seconds of each event: sessions of a shopper in order, events of a session seconds apart."""
    heads = np.flatnonzero(np.diff(session, prepend=-1))
    of = shopper[heads]
    # Between nine and midnight.
    starts = random.integers(0, _DAYS, len(heads)) * _DAY_S + random.integers(9 * 3_600, _DAY_S, len(heads))
    starts = starts[np.lexsort((starts, of))]
    gaps = np.exp(random.normal(np.log(_GAP_MEDIAN_S), _GAP_DEVIATION, len(session))).astype(np.int64) + 1
    run = np.cumsum(gaps)
    return _START_S + starts[session] + run - run[heads][session]
