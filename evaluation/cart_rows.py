"""Which rows the table of pages with a cart has, over the tables and models of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from evaluation.anchor_table import page_of_pipeline, page_of_popularity
from evaluation.baselines import BasketKnn, ItemCf
from evaluation.cart_table import (
    cart_table,
    page_of_basket_knn_sum,
    page_of_channel_head,
    with_cart,
    without_cart,
)
from evaluation.held_out_carts import HeldOutCart, HeldOutCarts
from evaluation.queries import anonymous_at, profiles_of, shopper_at
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.basket_settings import BasketSettings
from recall.baskets import baskets_of
from recall.channel import BuildSource, Channel
from recall.query import Query
from recall.triggers import TriggerSettings

PAGE = 10
CART_CHANNELS = ("bought_together", "ranki2i")


def measure_carts(
    source: BuildSource,
    log: InteractionLog,
    carts: HeldOutCarts,
    pipelines: Mapping[str, Pipeline[Query]],
    channels: Mapping[str, Channel],
    item_cf: ItemCf,
    settings: EvaluationSettings,
    triggers: TriggerSettings,
) -> dict[str, dict[str, float]]:
    """The rows of `evaluation.cart_table`; empty where there are no carts or no scenes.

    A shopper is asked for with all that they did before the basket began. Rows of an anonymous shopper are of
    the same baskets.

    Args:
        source: what the pipelines' tables were built from; nothing of `carts`.
        log: the whole log.
        carts: later than `source.now`.
        pipelines: scene → its pipeline as served.
        channels: those of `CART_CHANNELS`, and `again`, get a row where they are there.
        item_cf: its popularity is a peer.
        settings: how much is measured.
        triggers: how triggers are chosen from a history.
    """
    if not pipelines or not carts.half:
        return {}
    profiles = profiles_of(source.users)

    @cache
    def at(user: int, begin: int) -> Query:
        return shopper_at(log, user, profiles, begin, triggers).query

    def known(cart: HeldOutCart) -> Query:
        return at(cart.user, cart.begin)

    def nobody(cart: HeldOutCart) -> Query:
        return anonymous_at(cart.begin)

    knn = BasketKnn.fit(baskets_of(source, BasketSettings()), source.catalogue.size, settings.basket_knn)
    rows = {
        "popularity": (page_of_popularity(item_cf.popularity, PAGE), with_cart(nobody)),
        "item_knn": (page_of_basket_knn_sum(knn, PAGE), with_cart(nobody)),
        **{
            name: (page_of_channel_head(channels[name], PAGE), with_cart(nobody))
            for name in CART_CHANNELS
            if name in channels
        },
    }
    if "again" in channels:
        rows["again, known shopper"] = page_of_channel_head(channels["again"], PAGE), without_cart(known)
    for name, pipeline in pipelines.items():
        page_of = page_of_pipeline(pipeline, PAGE)
        for who, shopper in (("anonymous", nobody), ("known shopper", known)):
            rows[f"{name} without its cart, {who}"] = page_of, without_cart(shopper)
            rows[f"{name}, {who}"] = page_of, with_cart(shopper)
    return cart_table(carts, rows, settings.seed)
