"""Columns of what shoppers do now with each candidate: click rates, popularity, and how these changed.

A rate is smoothed by the rate of what is coarser, as a posterior mean under a beta prior (Gelman et al.,
Bayesian Data Analysis, 2.4), and cut to at most 1:

    rate(item) = (clicks + prior · rate(category)) / (impressions + prior)

and likewise a category's by the whole shop's. `lift` is a change of log-odds that can be added to those of
another scorer, cut to ±`most`:

    lift = change(item) − change(shop)
         + interest · (log-odds of the shopper's click rate in the category − of the category's own)

change(item) is the difference of the log-odds of its click rate in the last hour and in the week before that
hour, where the former is smoothed by the latter, changed as the category's has. Without a learner, or where
nothing was counted lately, `lift` is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_counters.kinds import Subjects
from state.live_counters.live_counters import LiveCounters

Float32 = NDArray[np.float32]

FEATURE = "live_counters"
LIFT = "lift"
_RATES = ("ctr", "cvr", "popularity")
COLUMNS = (
    LIFT,
    *(f"{kind}_{rate}_{life}" for kind in ("item", "category") for rate in _RATES for life in HALF_LIVES_S),
    *(f"item_scene_ctr_{life}" for life in HALF_LIVES_S),
    *(f"shopper_category_{rate}_{life}" for rate in ("ctr", "popularity") for life in HALF_LIVES_S),
)
_IMPRESSIONS, _CLICKS, _VIEWS, _PURCHASES = range(len(SIGNALS))
_HOUR, _DAY, _WEEK = range(len(HALF_LIVES_S))
_SMALLEST = 1e-4
_SHOP_IMPRESSIONS = 20.0
"""Impressions without a click, and views without a purchase, that the whole shop begins with."""


class LiveSettings(BaseModel):
    """How much is smoothed, and how far a page may be moved."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    prior: float = Field(
        default=50.0,
        gt=0,
        description="Impressions (for purchases: views) that the coarser rate counts for, mixed in.",
    )
    purchase_weight: float = Field(
        default=5.0, ge=0, description="Views that a purchase is worth in the popularity."
    )
    interest: float = Field(
        default=1.0, ge=0, le=10, description="Weight in `lift` of the shopper's own clicks in the category."
    )
    most: float = Field(default=1.0, ge=0, le=10, description="Log-odds that `lift` is cut to, up and down.")


class LiveScorer:
    """The scorer over one snapshot's items."""

    def __init__(self, keys: CatalogueKeys, settings: LiveSettings) -> None:
        """`keys`: of the snapshot's items."""
        self._keys = keys
        self._settings = settings

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, Float32]:
        """COLUMNS, float32[n] each: `lift` in log-odds, rates 0…1, popularity log(1 + decayed count)."""
        live: LiveCounters = query.features[FEATURE]
        return self.columns(live, query, candidates.items)

    def columns(self, live: LiveCounters, query: Query, items: NDArray[np.int32]) -> dict[str, Float32]:
        """The columns of dense items int32[n] by `live`."""
        settings = self._settings
        count = items.size
        subjects = Subjects(
            self._keys.items[items],
            self._keys.categories[items],
            np.full(count, text_key(query.scene), np.uint64),
            np.full(count, text_key(query.user_id), np.uint64),
        )
        one = Subjects(*(column[:1] for column in (subjects.items,) * 4))
        shop = live.counts("shop", one, query.now) if count else np.zeros((1, 3, 4), np.float32)
        shop_ctr = _smoothed(shop, _CLICKS, _IMPRESSIONS, _SHOP_IMPRESSIONS, 0.0)
        shop_cvr = _smoothed(shop, _PURCHASES, _VIEWS, _SHOP_IMPRESSIONS, 0.0)
        rates: dict[str, Float32] = {}
        ctr, cvr = shop_ctr, shop_cvr
        counted: list[Float32] = []
        for kind in ("category", "item"):
            counts = live.counts(kind, subjects, query.now)
            ctr = _smoothed(counts, _CLICKS, _IMPRESSIONS, settings.prior, ctr)
            cvr = _smoothed(counts, _PURCHASES, _VIEWS, settings.prior, cvr)
            counted.append(counts)
            rates |= {f"{kind}_ctr": ctr, f"{kind}_cvr": cvr, f"{kind}_popularity": self._popularity(counts)}
        in_scene = live.counts("item_scene", subjects, query.now)
        rates["item_scene_ctr"] = _smoothed(
            in_scene, _CLICKS, _IMPRESSIONS, settings.prior, rates["item_ctr"]
        )
        own = live.counts("shopper_category", subjects, query.now)
        own_ctr = _smoothed(own, _CLICKS, _IMPRESSIONS, settings.prior, rates["category_ctr"])
        rates["shopper_category_ctr"] = own_ctr
        rates["shopper_category_popularity"] = self._popularity(own)
        columns = {
            f"{name}_{life}": np.ascontiguousarray(values[:, at])
            for name, values in rates.items()
            for at, life in enumerate(HALF_LIVES_S)
        }
        lift = self._changes(shop, counted)
        lift += settings.interest * (
            _log_odds(own_ctr[:, _HOUR]) - _log_odds(rates["category_ctr"][:, _HOUR])
        )
        columns[LIFT] = np.clip(lift, -settings.most, settings.most).astype(np.float32)
        return {name: columns[name] for name in COLUMNS}

    def model(self, query: Query) -> Model:
        """No model of Triton."""
        return NO_MODEL

    def _changes(self, shop: Float32, counted: Sequence[Float32]) -> Float32:
        """float32[n]: change(item) − change(shop), of counts float32[n, h, s] from coarse to fine."""
        rate, change = _change(shop, _SHOP_IMPRESSIONS, np.zeros(1, np.float32), np.zeros(1, np.float32))
        of_shop = change
        for counts in counted:
            rate, change = _change(counts, self._settings.prior, rate, change)
        return change - of_shop

    def _popularity(self, counts: Float32) -> Float32:
        """float32[n, h]."""
        popularity: Float32 = np.log1p(
            counts[..., _VIEWS] + np.float32(self._settings.purchase_weight) * counts[..., _PURCHASES]
        )
        return popularity


def _smoothed(counts: Float32, hits: int, tries: int, prior: float, coarser: Float32 | float) -> Float32:
    """float32[n, h], at most 1."""
    rate = (counts[..., hits] + prior * coarser) / (counts[..., tries] + prior)
    smoothed: Float32 = np.minimum(rate, 1.0).astype(np.float32)
    return smoothed


def _change(counts: Float32, prior: float, rate: Float32, change: Float32) -> tuple[Float32, Float32]:
    """The click rate of the week before the last hour, and the change of its log-odds since, float32[n] each.

    `rate`, `change`: those of what is coarser.
    """
    recent = counts[:, _HOUR]
    older = np.maximum(counts[:, _WEEK] - recent, 0)
    before = np.minimum((older[:, _CLICKS] + prior * rate) / (older[:, _IMPRESSIONS] + prior), 1)
    expected = 1 / (1 + np.exp(-_log_odds(before) - change))
    now = np.minimum((recent[:, _CLICKS] + prior * expected) / (recent[:, _IMPRESSIONS] + prior), 1)
    return before.astype(np.float32), (_log_odds(now) - _log_odds(before)).astype(np.float32)


def _log_odds(rates: Float32) -> Float32:
    cut = np.clip(rates, _SMALLEST, 1 - _SMALLEST)
    log_odds: Float32 = np.log(cut / (1 - cut))
    return log_odds


def open_scorer(context: ScorerContext, settings: LiveSettings) -> LiveScorer:
    """The scorer over the snapshot's items."""
    return LiveScorer(CatalogueKeys.of(context.catalogue), settings)


SCORER = ScorerKind(LiveSettings, open_scorer, columns=COLUMNS, features=(FEATURE,))
