"""The online ranker: learns samples, and says which version may be published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.ranker.ftrl import Ftrl
from learning.ranker.guard import Guard
from learning.ranker.settings import OnlineRankerSettings
from learning.stream.samples import Samples
from state.live_counters.decay import TICK_S
from state.live_model.inputs import RankedRows, hashed_inputs
from state.live_model.weights import NO_MODEL, OnlineModel

_DAY_S = 86_400


class OnlineRanker:
    """A function of the samples it was given, but for what was published, which is the guard's."""

    def __init__(self, settings: OnlineRankerSettings) -> None:
        """Nothing is learned, nothing is published."""
        self._settings = settings
        self._ftrl = Ftrl(settings)
        self._guard = Guard(settings.guard)
        self.samples = 0
        """Samples that were learned."""
        self.published: OnlineModel = NO_MODEL
        """The last good version."""
        self.recent_log_loss = float("nan")
        """Of the latest samples, each predicted before it was learned."""
        self.recent_auc = float("nan")
        """Likewise."""

    def learn(self, samples: Samples) -> None:
        """Learns samples in their order."""
        if not len(samples):
            return
        inputs = hashed_inputs(rows_of(samples), self._settings.bits)
        log_odds = self._ftrl.learn(inputs, samples.clicked, samples.shown_s // TICK_S)
        self._guard.observe(inputs, samples.clicked, log_odds)
        self.samples += len(samples)

    def next_version(self) -> tuple[OnlineModel | None, str]:
        """The version to publish, None where nothing was learned or it is held; and why it is held, or "".

        What learned nonsense that is not finite begins anew.
        """
        if self.samples == self.published.samples:
            return None, ""
        self.recent_log_loss, self.recent_auc = self._guard.recent()
        weights = self._ftrl.weights()
        fits = self.published.weights.size == weights.size
        held = self._guard.why_held(weights, self.published.weights if fits else np.zeros_like(weights))
        if held == "not_finite":
            self._ftrl = Ftrl(self._settings)
        if held:
            return None, held
        self.published = OnlineModel(self._settings.bits, self.samples, weights)
        return self.published, ""

    def exported(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What was learned: numbers, and the inputs that were active, as arrays by name."""
        ftrl = self._ftrl
        (active,) = np.nonzero(((ftrl.n != 0) | (ftrl.z != 0)).any(axis=1))
        return (
            {"samples": self.samples, "tick": ftrl.tick, "trust": ftrl.trust},
            {"active": active, "z": ftrl.z[active], "n": ftrl.n[active]},
        )

    def load(self, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces what was learned by what `exported` gave; KeyError where something is missing."""
        self.samples, self._ftrl.tick = numbers["samples"], numbers["tick"]
        self._ftrl.trust = numbers["trust"]
        for name, sums in (("z", self._ftrl.z), ("n", self._ftrl.n)):
            sums[:] = 0
            sums[arrays["active"]] = arrays[name]


def rows_of(samples: Samples) -> RankedRows:
    """What the samples are about, as the scorer saw it when the answers were made, with their slots."""
    return RankedRows(
        samples.items,
        samples.categories,
        samples.shoppers,
        samples.scenes,
        samples.served_s % _DAY_S // 3_600,
        samples.positions,
        samples.regions,
        samples.crowds,
        samples.weathers,
    )
