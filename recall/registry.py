"""The recall channels: a new one is its file and a line here, or a plug-in."""

from __future__ import annotations

from recall import (
    again,
    alert_picks,
    bought_together,
    category_hot,
    context,
    ease,
    fresh,
    graph_embedding,
    hot,
    item_knn,
    matrix_factors,
    mind,
    outfit,
    query_intent,
    ranki2i,
    retargeting,
    sequential,
    similar_look,
    user_knn,
    visit_knn,
)
from recall.channel import ChannelKind
from registration.registry import Registry

CHANNELS: Registry[ChannelKind] = Registry(
    "recall channel",
    "CHANNELS",
    {
        ranki2i.NAME: ranki2i.CHANNEL,
        bought_together.NAME: bought_together.CHANNEL,
        item_knn.NAME: item_knn.CHANNEL,
        visit_knn.NAME: visit_knn.CHANNEL,
        user_knn.NAME: user_knn.CHANNEL,
        matrix_factors.NAME: matrix_factors.CHANNEL,
        ease.NAME: ease.CHANNEL,
        graph_embedding.NAME: graph_embedding.CHANNEL,
        mind.NAME: mind.CHANNEL,
        sequential.NAME: sequential.CHANNEL,
        category_hot.NAME: category_hot.CHANNEL,
        again.NAME: again.CHANNEL,
        retargeting.NAME: retargeting.CHANNEL,
        similar_look.NAME: similar_look.CHANNEL,
        outfit.NAME: outfit.CHANNEL,
        context.NAME: context.CHANNEL,
        query_intent.NAME: query_intent.CHANNEL,
        fresh.NAME: fresh.CHANNEL,
        alert_picks.NAME: alert_picks.CHANNEL,
        hot.NAME: hot.CHANNEL,
    },
    kind=ChannelKind,
)
