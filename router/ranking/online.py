"""The scorer `online`: the ranker that learns while the shop runs, scored here and without Triton.

Its weights are those of the version that the learner published last; what a candidate's slot on the page adds
is left out, being the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.query_features.surroundings import NAME as SURROUNDINGS
from router.ranking.logistic.scorer import probability
from router.ranking.model_scorer import SCORE
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_counters.profile_keys import ProfileKeys
from state.live_model.inputs import RankedRows
from state.live_model.weights import OnlineModel

FEATURE = "online_model"
LIFT = "lift"
_DAY_S = 86_400


class OnlineSettings(BaseModel):
    """Gives the probability of a click by the ranker that learns while the shop runs, without Triton."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    most: float = Field(default=1.0, ge=0, le=10, description="Log-odds that `lift` is cut to, up and down.")


class OnlineScorer:
    """The scorer over one snapshot's items; the weights are the query's."""

    def __init__(self, keys: CatalogueKeys, profiles: ProfileKeys, settings: OnlineSettings) -> None:
        """`keys`: of the snapshot's items; `profiles`: of its vocabulary."""
        self._keys = keys
        self._profiles = profiles
        self._most = settings.most

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, NDArray[np.float32]]:
        """Columns float32[n].

        score: the probability of a click. lift: its log-odds less the mean of the candidates', cut; 0 for all
        where no version is published.
        """
        model: OnlineModel = query.features[FEATURE]
        items = candidates.items
        weather = query.features[SURROUNDINGS].key
        rows = RankedRows(
            self._keys.items[items],
            self._keys.categories[items],
            np.full(items.size, text_key(query.user_id), np.uint64),
            np.full(items.size, text_key(query.scene), np.uint64),
            np.full(items.size, query.now % _DAY_S // 3_600, np.int64),
            np.zeros(items.size, np.int32),
            self._profiles.regions(query.profile_codes[None]),
            self._profiles.crowds(query.profile_codes[None]),
            np.array([text_key(weather) if weather else 0], np.uint64),
        )
        log_odds = model.log_odds(rows)
        centred = log_odds - log_odds.mean() if items.size else log_odds
        return {SCORE: probability(log_odds), LIFT: np.clip(centred, -self._most, self._most)}

    def model(self, query: Query) -> Model:
        """The version that the query was scored by; none where none is published."""
        model: OnlineModel = query.features[FEATURE]
        return Model("online", str(model.samples)) if model.samples else NO_MODEL


def open_scorer(context: ScorerContext, settings: OnlineSettings) -> OnlineScorer:
    """The scorer over the snapshot's items."""
    profiles = ProfileKeys.of(context.catalogue.profile_vocab)
    return OnlineScorer(CatalogueKeys.of(context.catalogue), profiles, settings)


SCORER = ScorerKind(OnlineSettings, open_scorer, columns=(SCORE, LIFT), features=(FEATURE, SURROUNDINGS))
