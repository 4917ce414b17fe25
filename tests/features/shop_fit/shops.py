"""Facts of shops of several kinds, as ingest measures them on real logs."""

from __future__ import annotations

import msgspec

from snapshot.shop_facts import ShopFacts

GROCER = ShopFacts(
    days=300.0,
    shoppers=2_000,
    events={"purchase": 1_000_000},
    takes=900_000,
    repeat_takes=370_000,
    purchases=900_000,
    repeat_purchases=370_000,
    repeat_gap_days=25.0,
    history=(50.0, 150.0, 380.0, 790.0, 1_290.0),
    categories=300,
    categories_per_shopper=90.0,
    items=90_000,
    titled=90_000,
    shared_titles=73_000,
    groups={"category": 0.99, "standard_category": 1.0, "brand": 1.0, "shop": 0.0},
)
FILMS = msgspec.structs.replace(
    GROCER, repeat_takes=4_000, repeat_purchases=3_000, shared_titles=900, repeat_gap_days=200.0
)
FASHION = msgspec.structs.replace(
    GROCER,
    events={"view": 900_000, "purchase": 100_000},
    repeat_takes=100_000,
    purchases=60_000,
    repeat_purchases=2_500,
    repeat_gap_days=60.0,
    shared_titles=9_000,
)
