"""Versions of a ranking model to roll out in a trial: good retrainings, and faults of many kinds.

A version is a function of a request to scores. Retrainings differ from the stable version as those of BST on
the sample shop do, which share some 85 % of their best 20 and whose orders correlate by 0.98; faults are laid
over a retraining, so that nothing but the fault distinguishes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from recall.query import Query

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """A request: log-odds float64[n] of its n candidates by the stable version, and without history."""

    query: Query
    candidates: Candidates
    stable: Floats
    without_history: Floats
    retrained: Mapping[str, Floats] = field(default_factory=dict)
    """Name of a retraining that was really trained → its log-odds float64[n]; empty in a made-up shop."""


Version = Callable[[TrialRequest, np.random.Generator], Floats]
"""Log-odds float64[n] of a request; the generator is of the calls, so two calls may differ."""
Fault = Callable[[TrialRequest, Floats, np.random.Generator], Floats]
"""What becomes of a retraining's log-odds."""


def retraining(seed: int, size: float = 1.0, kept: str = "") -> Version:
    """A retraining: other weights move every item for everybody, every item for a shopper, and each page.

    size  of the moves; 1 is what another seed does
    kept  name of a really trained one, whose scores are moved in place of the stable version's
    """

    def version(request: TrialRequest, calls: np.random.Generator) -> Floats:
        items = request.candidates.items.astype(np.int64)
        log_odds = request.retrained[kept] if kept else request.stable
        spread = float(log_odds.std())
        own = _unit(items * 1_000_003 + seed)
        for_shopper = _unit(items * 7_919 + seed * 31 + _number(request.query.user_id))
        page = float(_unit(np.array([seed * 17 + _number(request.query.user_id)]))[0])
        return log_odds + size * (spread * (0.09 * own + 0.09 * for_shopper) + 0.15 * page)

    return version


def faulty(fault: Fault, seed: int = 99) -> Version:
    """A retraining with a fault."""
    good = retraining(seed)
    return lambda request, calls: fault(request, good(request, calls), calls)


def inverted(log_odds: Floats) -> Floats:
    """The same scores in reversed order."""
    turned = np.empty_like(log_odds)
    turned[np.argsort(log_odds)] = np.sort(log_odds)[::-1]
    return turned


def where(concerned: Callable[[TrialRequest], bool], change: Callable[[Floats], Floats]) -> Fault:
    """A fault of some requests."""
    return lambda request, scores, calls: change(scores) if concerned(request) else scores


def sometimes(share: float, change: Callable[[Floats, np.random.Generator], Floats]) -> Fault:
    """A fault of a share of the calls, whichever these are."""
    return lambda request, scores, calls: change(scores, calls) if calls.random() < share else scores


def always(change: Callable[[Floats], Floats]) -> Fault:
    """A fault of all requests."""
    return lambda request, scores, calls: change(scores)


def constant(log_odds: Floats) -> Floats:
    """All the same score."""
    return np.full_like(log_odds, log_odds.mean())


def noise(log_odds: Floats, calls: np.random.Generator) -> Floats:
    """The same scores in any order."""
    return calls.permutation(log_odds)


def _with_nan(log_odds: Floats, calls: np.random.Generator) -> Floats:
    spoilt = log_odds.copy()
    spoilt[calls.integers(spoilt.size)] = np.nan
    return spoilt


def _boosted(share: float) -> Fault:
    """Every item of a share of the catalogue comes first wherever it is a candidate."""

    def change(request: TrialRequest, scores: Floats, calls: np.random.Generator) -> Floats:
        chosen = (_unit(request.candidates.items.astype(np.int64) * 13) > 0) & (
            request.candidates.items % 1_000 < 1_000 * share
        )
        return np.where(chosen, scores.max() + 1.0, scores)

    return change


def _crowd(share: float) -> Callable[[TrialRequest], bool]:
    """Known shoppers of a crowd of that share, which no field of a request names."""
    return lambda request: (
        bool(request.query.user_id) and _number(request.query.user_id) % 1_000 < 1_000 * share
    )


def _late(after: int) -> Fault:
    """Inverts every order once so many calls were made."""
    calls_made = [0]

    def change(request: TrialRequest, scores: Floats, calls: np.random.Generator) -> Floats:
        calls_made[0] += 1
        return inverted(scores) if calls_made[0] > after else scores

    return change


def bad_versions() -> dict[str, Version]:
    """Twenty versions that must not be promoted, by what is wrong with them."""
    return {
        "inverted for one crowd of 8 %": faulty(where(_crowd(0.08), inverted)),
        "noise in 5 % of calls": faulty(sometimes(0.05, noise)),
        "reversed in 5 % of calls": faulty(sometimes(0.05, lambda scores, calls: inverted(scores))),
        "reversed in all calls": faulty(always(inverted)),
        "inverted in the scene cart": faulty(where(lambda r: r.query.scene == "cart", inverted)),
        "inverted from 300 candidates on": faulty(where(lambda r: len(r.candidates) >= 300, inverted)),
        "inverted below 50 candidates": faulty(where(lambda r: len(r.candidates) < 50, inverted)),
        "inverted for anonymous shoppers": faulty(where(lambda r: not r.query.user_id, inverted)),
        "inverted for one value of a profile": faulty(
            where(lambda r: r.query.profile_codes[1] == 1, inverted)
        ),
        "inverted for short histories": faulty(where(lambda r: r.query.history_items.size < 10, inverted)),
        "the same score for all": faulty(always(constant)),
        "the same score in 6 % of calls": faulty(sometimes(0.06, lambda scores, calls: constant(scores))),
        "shifted by 2 in the scene cart": faulty(where(lambda r: r.query.scene == "cart", lambda s: s + 2.0)),
        "shifted by 2 in all": faulty(always(lambda scores: scores + 2.0)),
        "squeezed for one crowd of 10 %": faulty(
            where(_crowd(0.10), lambda s: s.mean() + 0.1 * (s - s.mean()))
        ),
        "history is not read": lambda request, calls: request.without_history,
        "history is not read for a crowd of 15 %": faulty(
            lambda r, scores, calls: r.without_history if _crowd(0.15)(r) else scores
        ),
        "NaN in 2 % of calls": faulty(sometimes(0.02, _with_nan)),
        "a hundredth of the items boosted": faulty(_boosted(0.01)),
        "reversed after 700 calls": faulty(_late(700)),
    }


def good_versions(kept: tuple[str, ...] = ("",)) -> dict[str, Version]:
    """Twenty versions that must be promoted; `kept`: names of really trained ones to start from."""
    return {
        f"retraining {seed} of {kept[seed % len(kept)] or 'other weights'}": retraining(
            seed, 0.6 + 0.05 * (seed % 10), kept[seed % len(kept)]
        )
        for seed in range(20)
    }


def _number(text: str) -> int:
    return int.from_bytes(text.encode()[-7:], "big") * 2_654_435_761 % 1_000_003


def _unit(keys: NDArray[np.int64]) -> Floats:
    """float64[n], nearly standard normal numbers that follow from the keys (Box and Muller 1958)."""
    mixed = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    high = ((mixed >> np.uint64(40)).astype(np.float64) + 0.5) / 2.0**24
    low = ((mixed & np.uint64(0xFFFFFF)).astype(np.float64) + 0.5) / 2.0**24
    normal: Floats = np.sqrt(-2.0 * np.log(high)) * np.cos(2.0 * np.pi * low)
    return normal
