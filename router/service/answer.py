"""From a page of candidates to the response message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import PROBABILITY, SHOWN, Candidates
from pipeline.plan import Page, channels_of
from pipeline.trace import StageRecord
from protos.shopfront.v1.recommend_pb2 import (
    RecommendResponse,
    ScoreKind,
    StageTrace,
    Trace,
)
from snapshot.catalogue import Catalogue


def build_response(
    page: Page,
    catalogue: Catalogue,
    channel_names: tuple[str, ...],
    *,
    scene: str,
    snapshot_id: str,
    request_id: str,
    arms: Mapping[str, str],
    degraded: Sequence[str],
) -> RecommendResponse:
    """The response that shows `page`, without its attribution token.

    `channel_names` as `Pipeline.channel_names`; `degraded` what was missing before the pipeline ran, named
    ahead of what was missing in it.
    """
    response = RecommendResponse(
        model_name=page.model.name,
        model_version=page.model.version,
        arms=arms,
        degraded=dict.fromkeys((*degraded, *page.degraded)),
        scene=scene,
        snapshot_id=snapshot_id,
        request_id=request_id,
        score_kind=score_kind(page.items),
    )
    _add_items(response, page.items, catalogue, channel_names)
    return response


def add_trace(response: RecommendResponse, records: Sequence[StageRecord], total_ms: float) -> None:
    """Adds the trace of the stages; `total_ms`: milliseconds from arrival to answer."""
    response.trace.CopyFrom(
        Trace(
            stages=[
                StageTrace(
                    stage=record.stage,
                    count_in=record.count_in,
                    count_out=record.count_out,
                    removed=record.removed,
                    start_ms=record.start_ms,
                    elapsed_ms=record.elapsed_ms,
                    outcome=record.outcome,
                    detail=record.detail,
                )
                for record in records
            ],
            total_ms=total_ms,
        )
    )


def _add_items(
    response: RecommendResponse, items: Candidates, catalogue: Catalogue, channel_names: tuple[str, ...]
) -> None:
    """Adds the items in place: a message made beside the response would be copied into it."""
    for item_id, score, channels, trigger_id, title, category in zip(
        catalogue.item_ids(items.items),
        shown_scores(items).tolist(),
        items.channels.tolist(),
        catalogue.item_ids(items.trigger),
        catalogue.titles(items.items),
        catalogue.category_names(catalogue.category[items.items]),
        strict=True,
    ):
        reasons = response.items.add(item_id=item_id, score=score, title=title, category=category).reasons
        named = _channels(channels, channel_names)
        if not named:
            # An operator's pin or exposure plan put it there.
            continue
        first, *others = named
        reasons.add(channel=first, trigger_item_id=trigger_id)
        for channel in others:
            reasons.add(channel=channel)
    if _ordered_by_something_else(items):
        for item, value in zip(response.items, np.nan_to_num(items.score, nan=0.0).tolist(), strict=True):
            item.value = value
    for name in catalogue.shown:
        for item, words in zip(response.items, catalogue.display(name, items.items), strict=True):
            if words:
                item.attributes[name] = words


def _ordered_by_something_else(items: Candidates) -> bool:
    """Whether what answers show would order the items otherwise than they were."""
    if PROBABILITY not in items.columns and SHOWN not in items.columns:
        return False
    by_score = np.argsort(-np.nan_to_num(items.score, nan=-np.inf), kind="stable")
    return bool((np.diff(shown_scores(items)[by_score]) > 0).any())


def score_kind(items: Candidates) -> ScoreKind:
    """What `shown_scores` are."""
    if not len(items):
        return ScoreKind.SCORE_KIND_UNSPECIFIED
    if PROBABILITY in items.columns:
        return ScoreKind.SCORE_KIND_PROBABILITY
    ordered = SHOWN in items.columns or np.isfinite(items.score).any()
    return ScoreKind.SCORE_KIND_ORDER if ordered else ScoreKind.SCORE_KIND_RECALL


def shown_scores(items: Candidates) -> NDArray[np.float32]:
    """float32[n]: probabilities where they are known, else what ordered, 0 where an item has none.

    Recall scores where nothing ranked the items.
    """
    if score_kind(items) == ScoreKind.SCORE_KIND_RECALL:
        return items.recall_score
    columns = items.columns
    return np.nan_to_num(columns.get(PROBABILITY, columns.get(SHOWN, items.score)), nan=0.0)


@lru_cache(maxsize=4096)
def _channels(channels: int, channel_names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(channels_of(channels, channel_names))
