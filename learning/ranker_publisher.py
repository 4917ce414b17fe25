"""Publishes the online ranker's versions, unless the guard holds them."""

from __future__ import annotations

import logging
from pathlib import Path

from learning.metrics import LearnerMetrics
from learning.ranker.ranker import OnlineRanker
from state.live_counters.counter_file import CounterFileError
from state.live_model.weights import SUFFIX, WeightsError, read_weights, write_weights
from state.published import read_live_manifest

logger = logging.getLogger(__name__)


class RankerPublisher:
    """What of a ranker is in a folder."""

    def __init__(self, folder: Path, metrics: LearnerMetrics) -> None:
        """`metrics`: count versions that are held."""
        self._folder = folder
        self._metrics = metrics
        self._held = ""
        self.file = ""
        """Name of the published version's file; "" where there is none."""

    def publish(self, ranker: OnlineRanker) -> bool:
        """Writes what the ranker has learned since; False where that is nothing, or held. Raises OSError."""
        version, held = ranker.next_version()
        self._metrics.observe_ranker(ranker)
        if held:
            self._metrics.held[held,].inc()
            if held != self._held:
                logger.warning(
                    "the ranker's version of %d samples is held (%s); that of %d samples stays",
                    ranker.samples,
                    held,
                    ranker.published.samples,
                )
        self._held = held
        if version is None:
            return False
        self.file = f"model-{version.samples}{SUFFIX}"
        write_weights(self._folder / self.file, version)
        return True

    def take_up(self, ranker: OnlineRanker, bits: int, erasures: int) -> None:
        """Gives a ranker the version that was published last, which stays until there is a better one.

        None of other `bits`, and none from before a deletion of a shopper, `erasures` being the last one.
        """
        try:
            manifest = read_live_manifest(self._folder)
            if manifest is None or not manifest.model or manifest.erasures != erasures:
                return
            model = read_weights(self._folder / Path(manifest.model).name)
        except (CounterFileError, WeightsError, OSError) as error:
            logger.warning("the version that was published last cannot be used: %s", error)
            return
        if model.bits == bits:
            ranker.published = model
            self.file = Path(manifest.model).name
