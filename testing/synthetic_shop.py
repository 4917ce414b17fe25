"""A seeded shop whose shoppers have tastes: small enough for tests, regular enough to learn from.

Every shopper prefers a few categories and some brands and has a price level. A session stays within one
preferred category; the better an item fits, the likelier it is viewed, marked as favourite, put into the cart
and bought. So co-occurrence, category, brand, price and profile all carry signal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from snapshot import Dataset

START = datetime(2024, 3, 1, tzinfo=UTC)
CREATED_AT = datetime(2024, 6, 1, tzinfo=UTC)
DAYS = 60
CATEGORIES = (
    "Tea", "Coffee", "Mugs", "Lamps", "Candles", "Cushions",
    "Notebooks", "Pens", "Plants", "Pots", "Toys", "Games",
)  # fmt: skip
STANDARD_CATEGORIES = ("Kitchen", "Home", "Office", "Garden", "Leisure")
_STANDARD_OF_CATEGORY = (0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4)
BRANDS = ("Alder", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Larch", "Maple")
SHOPS = ("North", "South", "East")
GENDERS = ("f", "m")
AGE_BANDS = ("18-24", "25-34", "35-49", "50+")
CITIES = ("Aalen", "Bonn", "Celle", "Dresden")
PURCHASING_POWERS = ("low", "middle", "high")
_SHOWN_PER_SESSION = 8


def write_synthetic_shop(
    folder: Path, users: int = 200, items: int = 400, events: int = 20_000, seed: int = 0
) -> None:
    """Write events.csv, items.csv and users.csv of a made-up shop into `folder`, created if absent.

    About 1 item in 20 is out of stock, 1 in 25 adult; 1 user in 10 has no profile. Every item of a large
    enough shop is shown to someone; the last 2 % of the items never are (new arrivals).

    Args:
        folder: where to write.
        users: number of users u0000…
        items: number of items i0000…
        events: exact number of events, in time order within 60 days from `START`.
        seed: everything follows from it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    catalogue = _items(random, items)
    profiles, tastes, brand_leaning = _users(random, users)
    _events(random, catalogue, profiles, tastes, brand_leaning, events).write_csv(folder / "events.csv")
    catalogue.drop("category_code", "brand_code", "weight").write_csv(folder / "items.csv")
    known = random.random(users) >= 0.1
    profiles.filter(known).drop("price_level").write_csv(folder / "users.csv")


def synthetic_dataset(
    workspace_root: Path,
    users: int = 200,
    items: int = 400,
    events: int = 20_000,
    seed: int = 0,
    settings: IngestSettings = IngestSettings(),
) -> Dataset:
    """Write a synthetic shop to `<workspace_root>/shop`, ingest it and return the sealed data set.

    The data set is published in `<workspace_root>/datasets`; item and user ids are those of
    `write_synthetic_shop`.
    """
    write_synthetic_shop(workspace_root / "shop", users, items, events, seed)
    return ingest_folder(workspace_root / "shop", workspace_root, settings, seed=seed, created_at=CREATED_AT)


def _items(random: np.random.Generator, count: int) -> pl.DataFrame:
    # The first items deal every category out once, so that no category of a small shop is empty.
    category = np.concatenate(
        (np.arange(len(CATEGORIES)), random.integers(len(CATEGORIES), size=max(count - len(CATEGORIES), 0)))
    )[:count]
    brand = random.integers(len(BRANDS), size=count)
    weight = 1 / (1 + random.permutation(count)) ** 0.6
    weight[count - count // 50 :] = 0
    created = int(START.timestamp()) - random.integers(0, 365 * 86_400, size=count)
    return pl.DataFrame(
        {
            "item_id": [f"i{item:04d}" for item in range(count)],
            "category": [CATEGORIES[code] for code in category],
            "std_category": [STANDARD_CATEGORIES[_STANDARD_OF_CATEGORY[code]] for code in category],
            "brand": [BRANDS[code] for code in brand],
            "shop": [SHOPS[code] for code in random.integers(len(SHOPS), size=count)],
            "price": np.round(np.exp(random.normal(2.5, 0.7, size=count)), 2),
            "title": [
                f"{BRANDS[b]} {CATEGORIES[c]} No. {item}"
                for item, (b, c) in enumerate(zip(brand, category, strict=True))
            ],
            "in_stock": random.random(count) >= 0.05,
            "adult": random.random(count) < 0.04,
            "created_at": created,
            "category_code": category,
            "brand_code": brand,
            "weight": weight,
        }
    )


def _users(random: np.random.Generator, count: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    gender, age = random.integers(len(GENDERS), size=count), random.integers(len(AGE_BANDS), size=count)
    power = random.integers(len(PURCHASING_POWERS), size=count)
    # Each crowd shares a leaning, so that hot lists by crowd differ; each user adds a private one.
    crowd_leaning = random.normal(0, 1.0, size=(len(GENDERS) * len(AGE_BANDS), len(CATEGORIES)))
    private = random.normal(0, 1.5, size=(count, len(CATEGORIES)))
    tastes = np.exp(crowd_leaning[gender * len(AGE_BANDS) + age] + private)
    profiles = pl.DataFrame(
        {
            "user_id": [f"u{user:04d}" for user in range(count)],
            "gender": [GENDERS[code] for code in gender],
            "age_band": [AGE_BANDS[code] for code in age],
            "city": [CITIES[code] for code in random.integers(len(CITIES), size=count)],
            "purchasing_power": [PURCHASING_POWERS[code] for code in power],
            "price_level": 1.8 + 0.7 * power,
        }
    )
    return profiles, tastes / tastes.sum(axis=1, keepdims=True), random.normal(0, 1.2, (count, len(BRANDS)))


def _events(
    random: np.random.Generator,
    catalogue: pl.DataFrame,
    profiles: pl.DataFrame,
    tastes: np.ndarray,
    brand_leaning: np.ndarray,
    count: int,
) -> pl.DataFrame:
    # A session yields more events than items shown, so this many sessions suffice.
    sessions = count // _SHOWN_PER_SESSION + 1
    activity = 1 / (1 + random.permutation(profiles.height)) ** 0.5
    user = random.choice(profiles.height, size=sessions, p=activity / activity.sum())
    start = np.sort(random.integers(0, DAYS * 86_400_000, size=sessions)) + int(START.timestamp()) * 1_000
    category = _draw(random, tastes[user])
    item_category = catalogue["category_code"].to_numpy()
    fits_category = item_category[None, :] == np.arange(len(CATEGORIES))[:, None]
    weights = np.where(fits_category, 1.0, 0.01) * catalogue["weight"].to_numpy()
    weights /= weights.sum(axis=1, keepdims=True)

    shown_user = np.repeat(user, _SHOWN_PER_SESSION)
    item = _draw(random, weights[np.repeat(category, _SHOWN_PER_SESSION)])
    position = np.tile(np.arange(_SHOWN_PER_SESSION), sessions)
    price = catalogue["price"].to_numpy()[item]
    affinity = (
        np.log(tastes[shown_user, item_category[item]] * len(CATEGORIES))
        + brand_leaning[shown_user, catalogue["brand_code"].to_numpy()[item]]
        - np.abs(np.log(price) - profiles["price_level"].to_numpy()[shown_user])
        - 0.1 * position
    )
    reached = random.random((len(item), 4)) < 1 / (
        1 + np.exp(-(affinity[:, None] + np.array([-0.6, -2.5, -1.0, -0.5])))
    )
    viewed = reached[:, 0]
    carted = viewed & reached[:, 2]
    steps = {
        "impression": np.ones(len(item), dtype=bool),
        "view": viewed,
        "favorite": viewed & reached[:, 1],
        "cart": carted,
        "purchase": carted & reached[:, 3],
    }
    shown_at = np.repeat(start, _SHOWN_PER_SESSION) + position * 45_000
    parts = []
    for delay, (event, happened) in enumerate(steps.items()):
        rows = np.flatnonzero(happened)
        bought = event == "purchase"
        parts.append(
            pl.DataFrame(
                {
                    "user_id": profiles["user_id"].gather(shown_user[rows]),
                    "item_id": catalogue["item_id"].gather(item[rows]),
                    "event": [event] * len(rows),
                    "timestamp": shown_at[rows] + delay * 7_000 + random.integers(0, 5_000, size=len(rows)),
                    "scene": ["home"] * len(rows),
                    "position": position[rows] + 1,
                    "session_id": [f"s{row // _SHOWN_PER_SESSION:06d}" for row in rows],
                    "quantity": random.integers(1, 4, size=len(rows)) if bought else [None] * len(rows),
                    "price": price[rows] if bought else [None] * len(rows),
                },
                schema_overrides={"quantity": pl.Int64, "price": pl.Float64},
            )
        )
    return pl.concat(parts).sort("timestamp", "user_id", "item_id", "event").head(count)


def _draw(random: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    """One draw per row of probabilities[n, k], int64[n] in 0…k-1."""
    cumulative = probabilities.cumsum(axis=1)
    cumulative[:, -1] = 1.0
    drawn: np.ndarray = (random.random((len(probabilities), 1)) < cumulative).argmax(axis=1)
    return drawn
