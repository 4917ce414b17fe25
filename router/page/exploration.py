"""Draws a share of a page's slots by softmax, and records the exact probability of each draw.

The draws are seeded by the answer's request id and scene, so that they can be repeated from these alone.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from router.page.settings import ExplorationSettings

Float64 = NDArray[np.float64]


class Explored(NamedTuple):
    """A page some of whose slots were drawn.

    items         in page order, as many as before, none twice
    propensities  float64[n]: for a drawn slot the probability with which its item was drawn, given the draws
                  of the slots before it; NaN for the other slots
    """

    items: Candidates
    propensities: Float64


def explore(items: Candidates, others: Candidates, settings: ExplorationSettings, seed: str) -> Explored:
    """Draws each slot, with probability `share`, from what may be shown and is not shown in other slots.

    A drawn slot takes its item from the items of the drawn slots and from `others`, each with a probability
    proportional to exp(score / temperature), and none twice. A slot whose item has no finite score is not
    drawn.

    Args:
        items: the page, in page order.
        others: candidates that passed the filters and are not on the page; those without a finite score are
            not drawn.
        settings: the share and the temperature.
        seed: as `draw_seed` makes it.
    """
    random = generator_of(seed)
    drawn = np.flatnonzero((random.random(len(items)) < settings.share) & np.isfinite(items.score))
    propensities = np.full(len(items), np.nan)
    if drawn.size == 0:
        return Explored(items, propensities)
    possible = others.take(np.isfinite(others.score))
    candidates = items.followed_by(possible)
    pool = np.concatenate((drawn, np.arange(len(items), len(candidates))))
    logits = candidates.score[pool].astype(np.float64) / settings.temperature
    order = np.arange(len(items))
    for slot in drawn.tolist():
        weights = np.exp(logits - logits.max())
        cumulated = np.cumsum(weights)
        chosen = int(np.searchsorted(cumulated, random.random() * cumulated[-1], side="right"))
        if chosen == weights.size:
            # The product was rounded up to the whole.
            chosen = int(np.flatnonzero(weights)[-1])
        order[slot] = pool[chosen]
        propensities[slot] = weights[chosen] / cumulated[-1]
        logits[chosen] = -np.inf
    return Explored(candidates.take(order), propensities)


def draw_seed(request_id: str, scene: str) -> str:
    """The seed of the draws of one scene's answer."""
    return f"{request_id} {scene}"


def generator_of(seed: str) -> np.random.Generator:
    """The random numbers of the answer whose draws have this seed."""
    digest = blake2b(seed.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
