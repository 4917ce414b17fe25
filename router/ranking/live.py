"""Columns of what shoppers do now with each candidate: click rates, popularity, and how these changed.

A rate is smoothed by the rate of what is coarser, as a posterior mean under a beta prior (Gelman et al.,
Bayesian Data Analysis, 2.4), and cut to at most 1:

    rate(item) = (clicks + prior · rate(category)) / (impressions + prior)

and likewise a category's and a shop's by that of everything together, an item's in a scene, in a city and in
a crowd by the item's, a category's behind a search query and for a shopper by the category's. `lift` is a
change of log-odds that can be added to those of another scorer, cut to ±`most`:

    lift = change(item) − change(all)
         + interest · (log-odds of the shopper's click rate in the category − of the category's own)

the shopper's being that of the last hour or, as far as they contradict it, of the latest impressions
(`state/live_counters/changing_rate.py`).
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
from state.live_counters.changing_rate import changing_rate
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_counters.kinds import UNKNOWN, Subjects
from state.live_counters.live_counters import LiveCounters
from state.live_counters.profile_keys import ProfileKeys

Float32 = NDArray[np.float32]

FEATURE = "live_counters"
LIFT = "lift"
_RATES = ("ctr", "cvr", "popularity")
COLUMNS = (
    LIFT,
    *(f"{kind}_{rate}_{life}" for kind in ("item", "category") for rate in _RATES for life in HALF_LIVES_S),
    *(f"item_scene_ctr_{life}" for life in HALF_LIVES_S),
    *(
        f"{kind}_{rate}_{life}"
        for kind in ("shopper_category", "shop")
        for rate in ("ctr", "popularity")
        for life in HALF_LIVES_S
    ),
    *(
        f"{kind}_ctr_{life}"
        for kind in ("query_category", "region_item", "crowd_item")
        for life in HALF_LIVES_S
    ),
)
_IMPRESSIONS, _CLICKS, _VIEWS, _PURCHASES = range(len(SIGNALS))
_HOUR, _DAY, _WEEK = range(len(HALF_LIVES_S))
_ANYTHING = Subjects(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
_SMALLEST = 1e-4
_FIRST_IMPRESSIONS = 20.0
"""Impressions without a click, and views without a purchase, that everything together begins with."""


class LiveSettings(BaseModel):
    """Gives click rates and popularity of the last hours and days, as the learner counts them."""

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
    turn: float = Field(
        default=0.03,
        gt=0,
        lt=1,
        description="Probability that the shopper's taste in a category has just changed, before the latest "
        "impressions are looked at. The larger, the sooner they replace what was counted within the hour.",
    )
    most: float = Field(default=1.0, ge=0, le=10, description="Log-odds that `lift` is cut to, up and down.")


class LiveScorer:
    """The scorer over one snapshot's items."""

    def __init__(self, keys: CatalogueKeys, profiles: ProfileKeys, settings: LiveSettings) -> None:
        """`keys`: of the snapshot's items; `profiles`: of its vocabulary."""
        self._keys = keys
        self._profiles = profiles
        self._settings = settings

    async def score(self, query: Query, candidates: Candidates) -> Mapping[str, Float32]:
        """COLUMNS, float32[n] each: `lift` in log-odds, rates 0…1, popularity log(1 + decayed count)."""
        live: LiveCounters = query.features[FEATURE]
        return self.columns(live, query, candidates.items)

    def columns(self, live: LiveCounters, query: Query, items: NDArray[np.int32]) -> dict[str, Float32]:
        """The columns of dense items int32[n] by `live`."""
        settings = self._settings
        subjects = self._subjects(query, items)
        every = live.counts("all", _ANYTHING, query.now)
        all_ctr = _smoothed(every, _CLICKS, _IMPRESSIONS, _FIRST_IMPRESSIONS, 0.0)
        all_cvr = _smoothed(every, _PURCHASES, _VIEWS, _FIRST_IMPRESSIONS, 0.0)
        rates: dict[str, Float32] = {}
        ctr, cvr = all_ctr, all_cvr
        counted: list[Float32] = []
        for kind in ("category", "item"):
            counts = live.counts(kind, subjects, query.now)
            ctr = _smoothed(counts, _CLICKS, _IMPRESSIONS, settings.prior, ctr)
            cvr = _smoothed(counts, _PURCHASES, _VIEWS, settings.prior, cvr)
            counted.append(counts)
            rates |= {f"{kind}_ctr": ctr, f"{kind}_cvr": cvr, f"{kind}_popularity": self._popularity(counts)}
        own: Float32 | None = None
        for kind, coarser, popular in (
            ("shopper_category", rates["category_ctr"], True),
            ("shop", all_ctr, True),
            ("item_scene", rates["item_ctr"], False),
            ("query_category", rates["category_ctr"], False),
            ("region_item", rates["item_ctr"], False),
            ("crowd_item", rates["item_ctr"], False),
        ):
            if not live.has(kind):
                rates[f"{kind}_ctr"] = np.broadcast_to(coarser, (items.size, len(HALF_LIVES_S)))
                if popular:
                    rates[f"{kind}_popularity"] = np.zeros((items.size, len(HALF_LIVES_S)), np.float32)
                continue
            counts = live.counts(kind, subjects, query.now)
            if kind == "shopper_category":
                own = counts
            rates[f"{kind}_ctr"] = _smoothed(counts, _CLICKS, _IMPRESSIONS, settings.prior, coarser)
            if popular:
                rates[f"{kind}_popularity"] = self._popularity(counts)
        columns = {
            f"{name}_{life}": column
            for name, values in rates.items()
            for life, column in zip(HALF_LIVES_S, np.ascontiguousarray(values.T), strict=True)
        }
        lift = self._changes(every, counted)
        if own is not None:
            coarser = rates["category_ctr"][:, _HOUR]
            lift += settings.interest * self._interest(own, live, subjects, query.now, coarser)
        columns[LIFT] = np.clip(lift, -settings.most, settings.most).astype(np.float32)
        return {name: columns[name] for name in COLUMNS}

    def model(self, query: Query) -> Model:
        """No model of Triton."""
        return NO_MODEL

    def _subjects(self, query: Query, items: NDArray[np.int32]) -> Subjects:
        codes = query.profile_codes[None]
        return Subjects(
            self._keys.items[items],
            self._keys.categories[items],
            np.array([text_key(query.scene)], np.uint64),
            np.array([text_key(query.user_id)], np.uint64),
            self._keys.shops[items],
            np.array([text_key(query.search_query)], np.uint64),
            self._profiles.regions(codes),
            self._profiles.crowds(codes),
        )

    def _interest(
        self, counts: Float32, live: LiveCounters, subjects: Subjects, now_s: float, coarser: Float32
    ) -> Float32:
        """float32[n]: log-odds of the shopper's click rate in the category less those of `coarser`.

        `counts`: float32[n, h, s], the shopper's.
        """
        of_hour = (slice(None), _HOUR, [_CLICKS, _IMPRESSIONS])
        lately = live.counts("shopper_category_lately", subjects, now_s)[of_hour]
        settings = self._settings
        rate = changing_rate(counts[of_hour], lately, settings.prior, coarser, settings.turn)
        return _log_odds(rate) - _log_odds(coarser)

    def _changes(self, every: Float32, counted: Sequence[Float32]) -> Float32:
        """float32[n]: change(item) − change(all), of counts float32[n, h, s] from coarse to fine."""
        rate, change = _change(every, _FIRST_IMPRESSIONS, np.zeros(1, np.float32), np.zeros(1, np.float32))
        of_all = change
        for counts in counted:
            rate, change = _change(counts, self._settings.prior, rate, change)
        return change - of_all

    def _popularity(self, counts: Float32) -> Float32:
        """float32[n, h]."""
        popularity: Float32 = np.log1p(
            counts[..., _VIEWS] + np.float32(self._settings.purchase_weight) * counts[..., _PURCHASES]
        )
        return popularity


def _smoothed(counts: Float32, hits: int, tries: int, prior: float, coarser: Float32 | float) -> Float32:
    """float32[n, h], at most 1."""
    rate = (counts[..., hits] + prior * coarser) / (counts[..., tries] + prior)
    smoothed: Float32 = np.minimum(rate, 1.0, dtype=np.float32, casting="same_kind")
    return smoothed


def _change(counts: Float32, prior: float, rate: Float32, change: Float32) -> tuple[Float32, Float32]:
    """The click rate of the week before the last hour, and the change of its log-odds since, float32[n] each.

    `rate`, `change`: those of what is coarser.
    """
    recent = counts[:, _HOUR]
    older = np.maximum(counts[:, _WEEK] - recent, 0)
    before = np.minimum((older[:, _CLICKS] + prior * rate) / (older[:, _IMPRESSIONS] + prior), 1)
    odds_before = _log_odds(before)
    expected = 1 / (1 + np.exp(-odds_before - change))
    now = np.minimum((recent[:, _CLICKS] + prior * expected) / (recent[:, _IMPRESSIONS] + prior), 1)
    return before.astype(np.float32), (_log_odds(now) - odds_before).astype(np.float32)


def _log_odds(rates: Float32) -> Float32:
    cut = np.minimum(np.maximum(rates, _SMALLEST), 1 - _SMALLEST)
    log_odds: Float32 = np.log(cut / (1 - cut))
    return log_odds


def open_scorer(context: ScorerContext, settings: LiveSettings) -> LiveScorer:
    """The scorer over the snapshot's items."""
    profiles = ProfileKeys.of(context.catalogue.profile_vocab)
    return LiveScorer(CatalogueKeys.of(context.catalogue), profiles, settings)


SCORER = ScorerKind(LiveSettings, open_scorer, columns=COLUMNS, features=(FEATURE,))
