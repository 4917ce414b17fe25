"""Popularity across shoppers: a discount for what everybody takes, a cap on the pages that an item heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates, Float32
from pipeline.head_order import behind_head, priced_out
from recall.popularity import NAME, REACH, CapPrices, Popularity
from recall.query import Query
from router.ranking.log_odds_merge import log_odds_of
from router.ranking.logistic.table import LOGISTIC_RANKER
from router.rerank.kind import RerankerKind
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.popularity import POPULARITY


class NoveltySettings(BaseModel):
    """Lowers items that many shoppers take, by log-odds of their scores."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    strength: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="Log-odds of its score that an item loses for each e-fold of shoppers who take it above "
        "`floor`; 0 = nothing.",
    )
    floor: float = Field(
        default=0.05, gt=0, le=1, description="Part of the shoppers, 0 to 1, up to which nothing is lost."
    )


class HeadCapSettings(BaseModel):
    """Limits on how many shoppers' pages one item is among the first slots, by a price for each item."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    most: float = Field(
        default=0.15,
        ge=0.03,
        le=1,
        description="Part of the shoppers, 0 to 1, in whose first slots (router.tables.popularity.head) one "
        "item is at most, as measured when the prices were fitted; 1 = any.",
    )

    def needed_tables(self) -> tuple[TableKind, ...]:
        """Prices are log-odds of scores, which the fit of `logistic` makes; they are fitted after it."""
        return (POPULARITY, LOGISTIC_RANKER)


@dataclass(frozen=True, slots=True)
class Novelty:
    """Moves each candidate by as many places as a discount for popularity moves it among all by score.

    So what rerankers before did stays, as far as the discount says nothing else; a page without scores, or
    whose scores are all equal, stays, and so does that of a shopper of whom nothing is known.

    discount  float32[N + 1], log-odds
    """

    discount: npt.NDArray[np.float32]
    name: str = "novelty"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]; of candidates in the order of their scores, the order of those less discount."""
        value = log_odds_of(candidates.score)
        if not query.history_items.size or not _tells(value):
            return np.arange(len(candidates))
        moved = _ranks(value - self.discount[candidates.items]) - _ranks(value)
        return np.argsort(np.arange(len(candidates)) + moved, kind="stable")


@dataclass(frozen=True, slots=True)
class HeadCap:
    """Moves an item behind the page's head for shoppers to whom it is worth less than its price.

    prices  of the items that would head too many pages
    slots   of the head
    """

    prices: CapPrices
    slots: int
    name: str = "head_cap"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n]: the head, then the others; a page without scores, or of equal ones, stays."""
        value = log_odds_of(candidates.score).astype(np.float64)
        head = min(self.slots, page_size)
        if not query.history_items.size or not _tells(value):
            return np.arange(len(candidates))
        near = slice(REACH * head)
        price = self.prices.of(candidates.items[near])
        out = np.zeros(len(candidates), np.bool_)
        out[near] = priced_out(value[near], price, head)
        return behind_head(out, head)


def _tells(value: npt.NDArray[np.floating]) -> bool:
    """Whether there are scores that order candidates: not all of float[n] are missing or equal."""
    known = value[np.isfinite(value)]
    return known.size > 0 and bool(known.min() < known.max())


def _ranks(value: Float32) -> npt.NDArray[np.intp]:
    """intp[n]: place of each of float32[n] when the largest comes first; NaN last, equal ones in order."""
    ranks = np.empty(value.size, np.intp)
    ranks[np.argsort(-value, kind="stable")] = np.arange(value.size)
    return ranks


def _novelty(parts: Parts, settings: NoveltySettings) -> Novelty:
    share = parts.tables[NAME].share
    return Novelty((settings.strength * np.log(np.maximum(share / settings.floor, 1))).astype(np.float32))


def _head_cap(parts: Parts, settings: HeadCapSettings) -> HeadCap:
    table: Popularity = parts.tables[NAME]
    return HeadCap(table.prices.under(settings.most), table.head)


NOVELTY = RerankerKind(settings=NoveltySettings, create=_novelty, tables=(POPULARITY,))
HEAD_CAP = RerankerKind(settings=HeadCapSettings, create=_head_cap, tables=(POPULARITY, LOGISTIC_RANKER))
