"""The last layer as arrays: its regressions and networks, and the log-odds that they make of the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.ranking.logistic.inputs import SHOPPER_COUNT
from router.ranking.logistic.networks import Networks
from router.ranking.logistic.weights import Weights, newness, scaled


@dataclass(frozen=True, slots=True)
class LastLayer:
    """What was learned, as arrays.

    mean, scale   float32[F]
    weights       float32[F, 4]: of the regression by itself, of the one beside a model, and what newness adds
                  to each
    bias          float32[4], likewise
    model_weight  of a model's log-odds, and what newness adds
    events        of `newness`
    count         column of the inputs that newness is read from
    networks      what adds to both regressions; None: nothing does
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    model_weight: tuple[float, float]
    events: float
    count: int
    networks: Networks | None = None

    @classmethod
    def of(cls, learned: Weights) -> LastLayer:
        """Those of what was learned."""
        new, none = learned.newcomer, (0.0,) * len(learned.inputs)
        return cls(
            np.array(learned.mean, np.float32),
            np.array(learned.scale, np.float32),
            np.stack(
                [learned.alone, learned.with_model, new.alone or none, new.with_model or none], axis=1
            ).astype(np.float32),
            np.array(
                [learned.alone_bias, learned.with_model_bias, new.alone_bias, new.with_model_bias], np.float32
            ),
            (learned.model_weight, new.model_weight),
            new.events,
            learned.inputs.index(SHOPPER_COUNT) if new.events else 0,
            Networks.of(learned.networks),
        )

    def log_odds(
        self, inputs: NDArray[np.float32], newcomers: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of inputs float32[n, F]: float32[n, 2], alone and beside a model; float32[n], its weight.

        newcomers: whether the newcomers' part counts. Where not, networks, which know newcomers by their
        inputs, count the less the newer a shopper is.
        """
        rows = scaled(inputs, self.mean, self.scale)
        parts = rows @ self.weights + self.bias
        newer = newness(inputs[:, self.count] if self.events else np.zeros(len(inputs)), self.events)
        new = newer if newcomers else np.zeros_like(newer)
        both: NDArray[np.float32] = parts[:, :2] + new[:, None] * parts[:, 2:]
        if self.networks is not None:
            both += (self.networks.log_odds(rows) * (1 - newer + new))[:, None]
        weight, added = self.model_weight
        return both, np.asarray(weight + added * new, np.float32)
