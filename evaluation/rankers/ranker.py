"""The registration of a batch ranker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.rankers.examples import Examples, Float64, Ranges

Scores = Callable[[Examples], Float64]
"""Gives float64[n] by which candidates of one query are ordered, the highest first."""


@dataclass(frozen=True, slots=True)
class RankerKind:
    """A ranker: the last statement of its file.

    Attributes:
        loss: what it learns: each grade, the order of pairs, or that of whole lists.
        fit: learns from `Ranges.train` and chooses by `Ranges.valid`; the int is the seed.
        ids: whether it reads ids and histories, so that a set without shoppers has no row of it.
    """

    loss: Literal["pointwise", "pairwise", "listwise"]
    fit: Callable[[Ranges, int], Scores]
    ids: bool = False
