"""Every scorer and every merge of scores by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from registration.registry import Registry
from router.ranking import (
    anchor,
    context,
    first_merge,
    live,
    log_odds_merge,
    look,
    online,
    ranker_model,
    satisfaction,
    triton_model,
    value_merge,
    weighted_sum,
    within_look_merge,
)
from router.ranking.anchor_ranker import scorer as anchor_ranker
from router.ranking.logistic import scorer as logistic
from router.ranking.merge_kind import MergeKind
from router.ranking.objectives import scorer as objectives
from router.ranking.scorer_kind import ScorerKind


def _fault(name: str, kind: ScorerKind, kinds: Mapping[str, ScorerKind]) -> str | None:
    if not kind.columns or len(set(kind.columns)) < len(kind.columns):
        return f"gives the columns {list(kind.columns)}; name at least one, and each once"
    return None


SCORERS: Registry[ScorerKind] = Registry(
    "scorer",
    "SCORERS",
    {
        "triton": triton_model.SCORER,
        "ranker": ranker_model.SCORER,
        "anchor": anchor.SCORER,
        "anchor_ranker": anchor_ranker.SCORER,
        "context": context.SCORER,
        "logistic": logistic.SCORER,
        "live": live.SCORER,
        "look": look.SCORER,
        "online": online.SCORER,
        "satisfaction": satisfaction.SCORER,
        "objectives": objectives.SCORER,
    },
    _fault,
    kind=ScorerKind,
)

MERGES: Registry[MergeKind] = Registry(
    "merge of scores",
    "MERGES",
    {
        "first": first_merge.MERGE,
        "weighted_sum": weighted_sum.MERGE,
        "log_odds": log_odds_merge.MERGE,
        "value": value_merge.MERGE,
        "within_look": within_look_merge.MERGE,
    },
    kind=MergeKind,
)
