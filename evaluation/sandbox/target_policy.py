"""What the tested setting would have drawn in the place of each logged draw, and what a model expects of it.

The policies compared fill one slot: everything else on the page, and the draws before it, are as logged. The
present policy draws from the present candidates by softmax of their scores; the target policy draws from the
tested setting's, at its temperature. So the value is the click rate of a drawn slot, not of the whole page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.sandbox.logged_draws import DrawnPage
from evaluation.sandbox.recorded_pages import PageToMake
from evaluation.sandbox.replay import Contender
from foundation.statistics.logistic import Fit, fit_logistic
from foundation.statistics.off_policy import Draws
from pipeline.candidates import Candidates, Float32
from router.service.validation import CheckedRequest, SceneRequest

_FOLDS = 2
_PRIOR_STRENGTH = 1.0
FIDELITY = 0.1
"""Relative difference up to which a replayed probability counts as the logged one."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What one slot could be filled with by the target policy.

    items          int32[k]
    probabilities  float64[k], summing to 1; k may be 0
    inputs         float32[k, F], of the reward model
    """

    items: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    inputs: Float32


@dataclass(frozen=True, slots=True)
class ReplayedDraw:
    """One logged draw with both policies' probabilities.

    propensity   as logged
    replayed     that the present policy's replay gives, 0 where it lacks the item
    unsupported  share of the target policy's draws that the present one's replay could not make
    pool         of the target policy
    own          float32[F], the reward model's inputs of the logged item
    shopper      number of the shopper
    """

    clicked: bool
    propensity: float
    replayed: float
    target: float
    unsupported: float
    pool: Pool
    own: Float32
    shopper: int


async def replay_draws(
    pages: Sequence[DrawnPage],
    present: Contender,
    tested: Contender,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[ReplayedDraw]:
    """Every draw of the pages; the present scene must explore."""
    shoppers: dict[str, int] = {}
    draws: list[ReplayedDraw] = []
    for done, drawn in enumerate(pages, 1):
        shopper = shoppers.setdefault(drawn.user_id, len(shoppers))
        draws += await _replayed(drawn, present, tested, shopper)
        progress(done, len(pages))
    return draws


async def _replayed(
    drawn: DrawnPage, present: Contender, tested: Contender, shopper: int
) -> list[ReplayedDraw]:
    page = drawn.page
    asked = CheckedRequest(
        scenes=(SceneRequest(page.scene, len(page.item_ids)),),
        user_id=drawn.user_id,
        city="",
        device="",
        excluded_item_ids=(),
        with_trace=False,
        timeout_s=None,
    )
    to_make = PageToMake(asked, page.ts)
    pools = []
    for contender in (present, tested):
        query = replace(await contender.query(to_make), context_codes=page.context_codes)
        pools.append(await contender.pool(page.scene, query, len(page.item_ids)))
    before, after = (pool.take(np.isfinite(pool.score)) for pool in pools)
    catalogue = present.engine.catalogue
    shown = catalogue.dense(list(page.item_ids))
    assert page.propensities is not None
    every_draw = np.flatnonzero(~np.isnan(page.propensities))
    elsewhere = np.delete(shown, every_draw)
    clicked = dict(zip(drawn.slots.tolist(), drawn.clicked.tolist(), strict=True))
    found = []
    for number, slot in enumerate(every_draw.tolist()):
        if slot not in clicked:
            continue
        taken = np.concatenate((elsewhere, shown[every_draw[:number]]))
        item = shown[slot]
        now, then = (
            _softmax(pool, taken, contender, page.scene, present)
            for pool, contender in ((before, present), (after, tested))
        )
        inputs = _inputs(after, then[0], before)
        own = _inputs(after, np.array([item], np.int32), before)[0]
        found.append(
            ReplayedDraw(
                clicked[slot],
                float(page.propensities[slot]),
                float(now[1][now[0] == item].sum()),
                float(then[1][then[0] == item].sum()),
                float(then[1][np.isin(then[0], now[0], invert=True)].sum()),
                Pool(then[0], then[1], inputs),
                own,
                shopper,
            )
        )
    return found


def _softmax(
    pool: Candidates, taken: NDArray[np.int32], contender: Contender, scene: str, present: Contender
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Items int32[k] that a slot could show, and their probabilities."""
    settings = contender.engine.scenes[scene].exploration or present.engine.scenes[scene].exploration
    assert settings is not None
    free = pool.take(np.isin(pool.items, taken, invert=True))
    if not len(free):
        return free.items, np.empty(0)
    logits = free.score.astype(np.float64) / settings.temperature
    weights = np.exp(logits - logits.max())
    return free.items, weights / weights.sum()


def _inputs(after: Candidates, items: NDArray[np.int32], before: Candidates) -> Float32:
    """float32[k, 4]: each item's log-odds by either setting, 0 without a score, and whether it has one."""
    return np.stack(
        [column for pool in (after, before) for column in _score_inputs(pool, items)],
        axis=1,
        dtype=np.float32,
    )


def _score_inputs(pool: Candidates, items: NDArray[np.int32]) -> tuple[Float32, Float32]:
    order = np.argsort(pool.items)
    has = np.zeros(items.size, np.float32)
    values = np.zeros(items.size, np.float32)
    if order.size:
        at = order[np.minimum(np.searchsorted(pool.items[order], items), order.size - 1)]
        has = (pool.items[at] == items).astype(np.float32)
        scores = pool.score[at].astype(np.float64)
        if ((pool.score >= 0) & (pool.score <= 1)).all():
            clipped = np.clip(scores, 1e-4, 1 - 1e-4)
            scores = np.log(clipped / (1 - clipped))
        values = (has * scores).astype(np.float32)
    return values, has


def with_rewards(draws: Sequence[ReplayedDraw], seed: int) -> Draws:
    """The draws with a reward model's click rates, which never saw the shopper that it predicts for."""
    shoppers = np.array([draw.shopper for draw in draws], np.int64)
    clicked = np.array([draw.clicked for draw in draws], bool)
    own = np.stack([draw.own for draw in draws])
    fold = np.random.default_rng(seed).permutation(int(shoppers.max()) + 1)[shoppers] % _FOLDS
    predicted, expected = np.empty(len(draws)), np.empty(len(draws))
    for number in range(_FOLDS):
        inside = fold == number
        if not inside.any():
            continue
        model = _reward_model(own[~inside], clicked[~inside])
        predicted[inside] = _rates(own[inside], model)
        expected[inside] = [
            float(draw.pool.probabilities @ _rates(draw.pool.inputs, model))
            for draw, wanted in zip(draws, inside.tolist(), strict=True)
            if wanted
        ]
    return Draws(
        rewards=clicked.astype(float),
        propensities=np.array([draw.propensity for draw in draws]),
        targets=np.array([draw.target for draw in draws]),
        predicted=predicted,
        expected=expected,
        groups=shoppers,
    )


def _reward_model(inputs: Float32, clicked: NDArray[np.bool_]) -> Fit:
    rate = (clicked.sum() + 0.5) / (clicked.size + 1)
    return fit_logistic(
        inputs, clicked, np.zeros(inputs.shape[1]), _PRIOR_STRENGTH, float(np.log(rate / (1 - rate)))
    )


def _rates(inputs: Float32, model: Fit) -> NDArray[np.float64]:
    odds = inputs.astype(np.float64) @ model.weights + model.bias
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def fidelity(draws: Sequence[ReplayedDraw]) -> float:
    """Share of the draws whose replayed probability is the logged one, to `FIDELITY`."""
    return float(np.mean([abs(draw.replayed / draw.propensity - 1) <= FIDELITY for draw in draws]))
