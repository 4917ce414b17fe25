"""Which rows the table of pages about one item has, over the tables and models of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evaluation.anchor_pairs import AnchorPairs, best_sold
from evaluation.anchor_reliability import anchor_reliability
from evaluation.anchor_table import (
    anchor_table,
    page_of_basket_knn,
    page_of_channel,
    page_of_item_cf,
    page_of_pipeline,
    page_of_popularity,
)
from evaluation.baselines import BasketKnn, ItemCf
from evaluation.queries import profiles_of, shopper_at
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.basket_settings import BasketSettings
from recall.baskets import baskets_of
from recall.channel import BuildSource, Channel
from recall.query import Query
from recall.triggers import TriggerSettings

PAGE = 10
Rows = dict[str, dict[str, float]]
COMPARED_CHANNELS = ("ranki2i", "bought_together")


def measure_anchors(
    source: BuildSource,
    log: InteractionLog,
    pairs: AnchorPairs,
    pipelines: Mapping[str, Pipeline[Query]],
    channels: Mapping[str, Channel],
    item_cf: ItemCf,
    settings: EvaluationSettings,
    triggers: TriggerSettings,
) -> tuple[Rows, Rows]:
    """The rows of `evaluation.anchor_table`, and those of `evaluation.anchor_reliability`.

    Both are empty where there are no pairs.

    Args:
        source: what the pipeline's tables were built from; nothing of `pairs`.
        log: the whole log, for the shoppers' histories up to `source.now`.
        pairs: later than `source.now`.
        pipelines: scene → its pipeline as served.
        channels: those of `COMPARED_CHANNELS` that are there get a row.
        item_cf: the baseline, fitted on the same events.
        settings: how much is measured.
        triggers: how triggers are chosen from a history.
    """
    if not len(pairs.user):
        return {}, {}
    rng = np.random.default_rng(settings.seed)
    now = source.now + 1
    profiles = profiles_of(source.users)
    users = np.unique(pairs.user)
    shoppers = {int(user): shopper_at(log, int(user), profiles, now, triggers).query for user in users}
    known = [user for user, query in shoppers.items() if query.history_items.size]
    knn = BasketKnn.fit(baskets_of(source, BasketSettings()), source.catalogue.size, settings.basket_knn)
    pages = {
        "popularity": page_of_popularity(item_cf.popularity, PAGE),
        "item_cf": page_of_item_cf(item_cf, PAGE),
        "item_knn": page_of_basket_knn(knn, PAGE),
        **{name: page_of_channel(channels[name], PAGE) for name in COMPARED_CHANNELS if name in channels},
    }
    served = {name: page_of_pipeline(pipeline, PAGE) for name, pipeline in pipelines.items()}
    compared = rng.permutation(known or list(shoppers))[: settings.anchor_shoppers].tolist()
    rows = anchor_table(
        pairs,
        shoppers,
        {user: best_sold(source, settings.anchors_among, settings.anchors, rng) for user in compared},
        pages,
        served,
        np.asarray(source.catalogue.category),
        now,
        settings.seed,
    )
    return rows, anchor_reliability(pairs, shoppers, pipelines, now, settings.seed)
