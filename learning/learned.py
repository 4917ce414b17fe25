"""What the learner knows of the event log: counters and open pairs, the ranker, and what ratings say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from learning.ranker.ranker import OnlineRanker
from learning.satisfaction.prediction.predictor import SatisfactionPredictor
from learning.settings import LearningSettings
from learning.stream.samples import Samples
from learning.stream.served_features import ServedFeatures
from learning.stream.shop_facts import ShopFacts
from learning.stream.stream import StreamState, below
from state.attribution import AttributionCodec
from state.logged_event import LoggedEvent

Arrays = dict[str, NDArray[Any]]


class Learned:
    """All that follows from the log up to some event, and that a checkpoint contains."""

    def __init__(
        self, settings: LearningSettings, codec: AttributionCodec, facts: ShopFacts, feature_log: Path | None
    ) -> None:
        """Nothing was read yet; arguments as for `Learner`."""
        features = None
        if feature_log is not None:
            features = ServedFeatures(feature_log, settings.stream, facts.profiles)
        self.state = StreamState(settings.stream, codec, facts.catalogue, settings.folder, features)
        self.ranker = OnlineRanker(settings.ranker)
        self.satisfaction = SatisfactionPredictor(settings.satisfaction)

    def read(self, entries: Sequence[tuple[int, LoggedEvent]], scenes: Collection[str]) -> Samples:
        """Takes up entries; what a rating is of follows from the entries before it alone.

        `scenes`: names of the scenes that there are.
        """
        made = []
        for part in self.satisfaction.ratings.parts(entries):
            made.append(self.state.read(part, scenes))
            self.satisfaction.ratings.read(part, self.state.groups, self.state.credited, self.state.drops)
        return Samples.joined(made)

    def exported(self) -> tuple[dict[str, Any], Arrays]:
        """Everything, as numbers and arrays by name: the same for the same log."""
        numbers, arrays = self.state.exported()
        of_ranker, sums = self.ranker.exported()
        return {**numbers, "ranker": of_ranker}, {
            **arrays,
            **{f"ranker.{name}": array for name, array in sums.items()},
            **{f"satisfaction.{name}": array for name, array in self.satisfaction.exported().items()},
        }

    def load(self, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Takes up what `exported` returned. Raises KeyError where something is missing; discard it then."""
        self.state.load(numbers, arrays)
        self.ranker.load(numbers["ranker"], below("ranker", arrays))
        self.satisfaction.load(below("satisfaction", arrays))
