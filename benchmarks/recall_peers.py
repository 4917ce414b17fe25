"""Plain-Python peers of the recall channels: the same answers from dictionaries and lists."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from features.reference_time import MAX_ABSENCE_S
from recall.again import Again
from recall.bought_together import BoughtTogether
from recall.category_hot import CategoryHot
from recall.completed_neighbours import CompletedNeighbours
from recall.hot import Hot
from recall.hot_tables import FALLBACK
from recall.lists import ItemLists
from recall.mind import Mind
from recall.query import Query
from recall.ranki2i import Ranki2i
from snapshot.event_codes import EVENT_STRENGTH

Answer = list[tuple[int, float]]
"""(item, score), best first."""

Peer = Callable[[Query, int], Answer]


def as_dictionary(lists: ItemLists) -> dict[int, Answer]:
    """Row → its entries, for the rows that have any."""
    items, scores, ends = lists.items.tolist(), lists.scores.tolist(), lists.offsets.tolist()
    return {
        row: list(zip(items[start:stop], scores[start:stop], strict=True))
        for row, (start, stop) in enumerate(pairwise(ends))
        if stop > start
    }


def best(scores: dict[int, float], k: int) -> Answer:
    """The k best by a full sort, ties by the smaller item."""
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:k]


def ranki2i_peer(channel: Any) -> Peer:
    """Neighbours as lists of pairs, summed or maximised in a dictionary."""
    assert isinstance(channel, Ranki2i)
    return neighbours_peer(channel._neighbours, channel._merge)


def bought_together_peer(channel: Any) -> Peer:
    """As `ranki2i_peer`, summed."""
    assert isinstance(channel, BoughtTogether)
    return neighbours_peer(channel._neighbours, "sum")


def neighbours_peer(tables: CompletedNeighbours, merge: str) -> Peer:
    """As `ranki2i_peer`, for the tables of any channel that sums or maximises neighbours."""
    neighbours, completion = as_dictionary(tables.neighbours), as_dictionary(tables.completion)
    category, seldom = tables.category.tolist(), tables.seldom.tolist()

    def recall(query: Query, k: int) -> Answer:
        scores: dict[int, float] = {}
        for trigger, weight in zip(query.triggers.tolist(), query.trigger_weights.tolist(), strict=True):
            entries = neighbours.get(trigger, [])
            if len(entries) < tables.complete_below or seldom[trigger]:
                entries = entries + completion.get(category[trigger], [])
            for item, score in entries:
                if item == trigger:
                    continue
                if merge == "sum":
                    scores[item] = scores.get(item, 0.0) + score * weight
                else:
                    scores[item] = max(scores.get(item, 0.0), score * weight)
        return best(scores, k)

    return recall


def mind_peer(channel: Any) -> Peer:
    """Every item against every interest in NumPy, a full sort, merged in a dictionary."""
    assert isinstance(channel, Mind)
    indexed = channel._indexed.tolist()
    table = channel._vectors_of(channel._indexed)

    def recall(query: Query, k: int) -> Answer:
        interests = channel._interests(query)
        try:
            interests.send(None)
        except StopIteration as answered:
            present = [interest for interest in answered.value if interest.any()]
        scores: dict[int, float] = {}
        for interest in present:
            match = table @ interest
            for row in np.argsort(-match)[:k].tolist():
                item = indexed[row]
                scores[item] = max(scores.get(item, -np.inf), float(match[row]))
        return best(scores, k)

    return recall


def category_hot_peer(channel: Any) -> Peer:
    """Categories weighed in a dictionary, every entry of theirs sorted."""
    assert isinstance(channel, CategoryHot)
    lists, category, limit = (
        as_dictionary(channel._lists),
        channel._category.tolist(),
        channel._settings.categories,
    )

    def recall(query: Query, k: int) -> Answer:
        weights: dict[int, float] = {}
        for trigger, weight in zip(query.triggers.tolist(), query.trigger_weights.tolist(), strict=True):
            weights[category[trigger]] = weights.get(category[trigger], 0.0) + weight
        scores: dict[int, float] = {}
        for code, weight in best(weights, limit):
            for item, share in lists.get(code, [])[:k]:
                scores[item] = weight * share
        return best(scores, k)

    return recall


def again_peer(channel: Any) -> Peer:
    """Past behaviours summed one by one in a dictionary."""
    assert isinstance(channel, Again)
    factor, settings, strength = channel._factor.tolist(), channel._settings, EVENT_STRENGTH.tolist()

    def recall(query: Query, k: int) -> Answer:
        past = list(
            zip(
                query.history_items.tolist(),
                query.history_events.tolist(),
                query.history_ts.tolist(),
                strict=True,
            )
        )
        oldest = min((ts for _, _, ts in past), default=float("inf"))
        bought = zip(query.purchased_items.tolist(), query.purchased_ts.tolist(), strict=True)
        past += [(item, 5, ts) for item, ts in bought if ts < oldest]
        newest = max((ts for _, _, ts in past), default=0)
        seen_from = min(query.now, newest + MAX_ABSENCE_S)
        scores: dict[int, float] = {}
        for item, event, ts in past:
            age_hours = max(seen_from - ts, 0) / 3600
            decay = (1 + age_hours / settings.time_scale_hours) ** -settings.age_exponent
            score = strength[event] * decay * factor[item]
            if score > 0:
                scores[item] = scores.get(item, 0.0) + score
        return best(scores, k)

    return recall


def hot_peer(channel: Any) -> Peer:
    """Crowds' lists walked one after the other with a set of what was seen."""
    assert isinstance(channel, Hot)
    lists, rows = as_dictionary(channel._lists), dict(channel._row_of_crowd)

    def recall(query: Query, k: int) -> Answer:
        found = []
        for fields in FALLBACK:
            values = tuple((field, query.profile.get(field, "")) for field in fields)
            if values in rows:
                found.append(lists[rows[values]])
        answer: Answer = []
        seen: set[int] = set()
        for level, entries in enumerate(found):
            for item, share in entries:
                if len(answer) == k:
                    return answer
                if item not in seen:
                    seen.add(item)
                    answer.append((item, len(found) - 1 - level + share))
        return answer

    return recall


PEERS: dict[str, Callable[[Any], Peer]] = {
    "ranki2i": ranki2i_peer,
    "bought_together": bought_together_peer,
    "mind": mind_peer,
    "category_hot": category_hot_peer,
    "again": again_peer,
    "hot": hot_peer,
}
