"""Fusion by weighted reciprocal ranks: what several channels rank high comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.candidates import Candidates, no_candidates, unscored
from pipeline.stages import Fusion, RecalledColumns
from recall.query import Query
from router.fusion.bounded_order import not_after, not_before
from router.fusion.kind import FusionKind, FusionParts
from router.fusion.share_check import check_shares

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ROUNDING = 1e-9
"""Parts that sum to 1, and positions at a multiple of a part, may differ from it by this much."""

SCORE_BITS, PLACE_BITS = 40, 22
"""Bits of an integer by which items are ordered: their score, and their place among all answers."""

SMALLEST_SCORE = 1e-280
"""Scores below, those of shares next to nothing, count as one, so that dividing by the best is safe."""

Part = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1_000)]

NEXT_TO_NOTHING = 1e-3
"""A part of the shares below which it is left out."""


class ReciprocalRankSettings(BaseModel):
    """Orders by the sum of share / (offset + rank) over the channels that recalled an item."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    offset: float = Field(
        default=2.0,
        ge=0,
        le=10_000,
        description="Added to each rank (from 1) before it divides the channel's share. The smaller, the "
        "more a channel's first items lead its others.",
    )
    floors: dict[str, Part] = Field(
        default={},
        description="Channel → part of the candidates, 0 to 1: of the first n candidates, for every n, at "
        "least this part are the channel's best, where it has so many. The parts sum to at most 1.",
    )
    ceilings: dict[str, Part] = Field(
        default={},
        description="Channel → part of the candidates, 0 to 1: of the first n candidates, for every n, at "
        "most this part (rounded up) are items that no other channel recalled, unless nothing else is left. "
        "A floor goes before a ceiling.",
    )
    newcomers: dict[str, Share] = Field(
        default={},
        description="Channel → share in the fusion for a shopper of whom nothing is known; channels that are "
        "not named have none. {}: shares do not depend on what is known.",
    )
    newcomer_behaviours: float = Field(
        default=6.0,
        gt=0,
        le=10_000,
        description="Behaviours known of a shopper with which the shares of newcomers and the scene's count "
        "half each; with twice as many, a quarter and three quarters.",
    )

    @model_validator(mode="after")
    def _quotas_fit(self) -> ReciprocalRankSettings:
        if sum(self.floors.values()) > 1 + ROUNDING:
            raise ValueError(f"floors must sum to at most 1, got {sum(self.floors.values()):g}")
        for channel, ceiling in self.ceilings.items():
            if self.floors.get(channel, 0.0) > ceiling:
                raise ValueError(
                    f"the floor of {channel} ({self.floors[channel]:g}) must not be above its ceiling "
                    f"({ceiling:g})"
                )
        return self


@dataclass(frozen=True, slots=True)
class ReciprocalRankFusion:
    """Fusion by reciprocal ranks; shares[i] is that of channel i, the quotas are by channel."""

    shares: Float64
    offset: float
    floors: Mapping[int, float]
    ceilings: Mapping[int, float]
    newcomers: Float64 | None = None
    newcomer_behaviours: float = 1.0

    def fitted(self, query: Query) -> ReciprocalRankFusion:
        """The fusion for as many behaviours as are known of the query's shopper.

        Of both kinds of shares, which are brought to the sum 1, those of newcomers count 2^(−behaviours /
        newcomer_behaviours).
        """
        if self.newcomers is None:
            return self
        part = 2.0 ** (-len(query.history_items) / self.newcomer_behaviours)
        if part < NEXT_TO_NOTHING:
            return self
        shares = (1 - part) * self.shares / self.shares.sum() + part * self.newcomers / self.newcomers.sum()
        return replace(self, shares=shares)

    def fuse(self, recalled: Sequence[RecalledColumns], total: int) -> Candidates:
        """As the function `fuse` of this file."""
        return fuse(recalled, self.shares, total, self.offset, self.floors, self.ceilings)


def fuse(
    recalled: Sequence[RecalledColumns],
    shares: Float64,
    total: int,
    offset: float,
    floors: Mapping[int, float] = {},
    ceilings: Mapping[int, float] = {},
) -> Candidates:
    """At most `total` of the items recalled by c channels, no item twice, by weighted reciprocal ranks.

    Items are ordered by score(i) = Σ share_c / (offset + rank_c(i)) over the channels c that recalled i, with
    ranks from 1 (Cormack, Clarke and Büttcher 2009, SIGIR, there with equal weights and an offset of 60).
    Equal scores are ordered by the first channel that recalled the item, then by its rank there; so items
    that only channels with share 0 recalled follow the others, channel by channel. The result has
    min(total, distinct items) rows.

    Args:
        recalled: c answers, each best first, no item twice; an item carries score and trigger of the first
            that has it.
        shares: float64[c], not negative, sum above 0; need not sum to 1.
        total: most candidates wanted.
        offset: not negative.
        floors: channel → part in (0, 1], summing to at most 1: the channel's r-th item is among the first
            ⌈r / part⌉.
        ceilings: channel → part in (0, 1]: among the first n, at most ⌈part · n⌉ are items that no other
            channel recalled, unless those ahead of a ceiling are all there is. A floor, which moves items up,
            goes before.

    Raises:
        ValueError: shares and channels do not match.
    """
    c = len(recalled)
    check_shares(shares, c)
    sizes = [columns.items.size for columns in recalled]
    if total <= 0 or not any(sizes):
        return no_candidates()

    channels = [i for i, size in enumerate(sizes) if size]
    items = np.concatenate([recalled[i].items for i in channels])
    # One sort of integers orders the answers by item, and those of one item by channel.
    shift = items.size.bit_length()
    places = np.arange(items.size)
    by_item = np.sort((items.astype(np.int64) << shift) | places) & ((1 << shift) - 1)
    grouped = items[by_item]
    begins = np.concatenate(([True], grouped[1:] != grouped[:-1]))
    distinct = np.flatnonzero(begins)
    place = by_item[distinct]
    ranks = offset + 1 + np.arange(max(sizes))
    relative = shares / shares.max()
    weights = np.concatenate([relative[i] / ranks[: sizes[i]] for i in channels])
    scores = np.asarray(np.bincount(np.cumsum(begins) - 1, weights[by_item]), np.float64)
    own_bits = np.repeat(np.left_shift(np.uint32(1), np.arange(c, dtype=np.uint32)), sizes)
    bits = np.bitwise_or.reduceat(own_bits[by_item], distinct)

    order = _descending(scores, place)
    if ceilings:
        order = order[not_before(_earliest(bits[order], ceilings))]
    if floors:
        order = order[not_after(_latest(grouped[distinct], recalled, floors)[order])]
    order = order[:total]
    chosen = place[order]
    return unscored(
        items[chosen],
        bits[order],
        np.concatenate([recalled[i].scores for i in channels])[chosen],
        np.concatenate([recalled[i].triggers for i in channels])[chosen],
    )


def _descending(scores: Float64, place: Int64) -> Int64:
    """The order int64[n] of scores float64[n], best first; of equal ones the smaller place first.

    Scores, not negative, count as equal where they differ by less than 2^-`SCORE_BITS` of the best, as those
    of one sum taken in another order do. None but 0 is equal to 0.
    """
    # As integers beside the places, they are ordered by one sort several times faster than by two keys.
    best = max(float(scores.max()), SMALLEST_SCORE)
    steps = np.ceil(scores * (2.0**SCORE_BITS / best)).astype(np.int64)
    return np.argsort(((2**SCORE_BITS - steps) << PLACE_BITS) | place)


def _earliest(bits: npt.NDArray[np.uint32], ceilings: Mapping[int, float]) -> Int64:
    """First position, from 0, that the ceilings allow each of n ordered items: int64[n]."""
    earliest = np.zeros(bits.size, dtype=np.int64)
    for channel, part in ceilings.items():
        own = np.flatnonzero(bits == np.uint32(1 << channel))
        # The q-th, from 0, is allowed where ⌈part · n⌉ > q.
        earliest[own] = np.floor(np.arange(own.size) / part + ROUNDING)
    return earliest


def _latest(
    distinct: npt.NDArray[np.int32], recalled: Sequence[RecalledColumns], floors: Mapping[int, float]
) -> Int64:
    """Last position, from 0, that the floors allow each item of `distinct` int32[n], ascending: int64[n]."""
    latest = np.full(distinct.size, distinct.size, dtype=np.int64)
    for channel, part in floors.items():
        items = recalled[channel].items
        due = np.ceil(np.arange(1, items.size + 1) / part - ROUNDING).astype(np.int64) - 1
        row = np.searchsorted(distinct, items)
        latest[row] = np.minimum(latest[row], due)
    return latest


def create(parts: FusionParts, settings: ReciprocalRankSettings) -> ReciprocalRankFusion:
    """The fusion with the shares of the scene's live channels; quotas of channels that are not live end."""

    def by_channel(quotas: Mapping[str, float]) -> dict[int, float]:
        return {parts.channels.index(name): part for name, part in quotas.items() if name in parts.channels}

    newcomers = np.array([settings.newcomers.get(name, 0.0) for name in parts.channels], np.float64)
    return ReciprocalRankFusion(
        parts.shares,
        settings.offset,
        by_channel(settings.floors),
        by_channel(settings.ceilings),
        newcomers if newcomers.sum() > 0 else None,
        settings.newcomer_behaviours,
    )


def fitted(settings: ReciprocalRankSettings) -> Callable[[ReciprocalRankFusion, Query], Fusion] | None:
    """By what is known of the shopper, where newcomers have shares of their own."""
    return ReciprocalRankFusion.fitted if settings.newcomers else None


def named_channels(settings: ReciprocalRankSettings) -> list[tuple[str, str]]:
    """(key, channel) of every channel that the settings name."""
    return [
        *(("floors", channel) for channel in settings.floors),
        *(("ceilings", channel) for channel in settings.ceilings),
        *(("newcomers", channel) for channel in settings.newcomers),
    ]


FUSION = FusionKind(
    settings=ReciprocalRankSettings,
    create=create,
    channels=named_channels,
    offset=lambda settings: float(settings.offset),
    fitted=fitted,
)
