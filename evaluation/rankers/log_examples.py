"""Examples from a shop's log: what a shopper took at a moment, beside items drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.queries import profiles_of, shopper_at
from features.profile import PROFILE_FIELDS
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints, with_candidates
from models.negatives import NegativeSampler
from models.rankers.examples import Examples, Float32, LearningRanges, Ranges
from models.samples import cut_points
from models.settings import NegativeSettings, SampleSettings, TrainingSettings
from models.training_loop import TrainingError
from pipeline.candidates import unscored
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.item_facts import ItemFacts, item_facts
from recall.triggers import TriggerSettings
from router.ranking.logistic.inputs import input_names, ranker_inputs
from snapshot.dataset import Dataset

FOREVER = 2**33
_RATE_PRIOR = 10.0


@dataclass(frozen=True, slots=True)
class LogSizes:
    """How much is drawn: points of each range, and of each point the most positives, and the negatives.

    spare_negatives  of a training point, from which hard ones are chosen
    sources          where negatives come from
    positive_events  codes of events that make an item a positive
    horizon          items taken up to this many seconds after the point are its positives
    """

    train_points: int = 4_000
    valid_points: int = 300
    test_points: int = 1_000
    positives: int = 4
    negatives: int = 15
    test_negatives: int = 30
    spare_negatives: int = 60
    sources: NegativeSettings = field(default_factory=NegativeSettings)
    positive_events: tuple[int, ...] = SampleSettings().positive_events
    horizon: int = SampleSettings().horizon


def log_examples(dataset: Dataset, sizes: LogSizes, seed: int) -> Ranges:
    """The newest points before `cuts.valid_from`, drawn ones of the validation range, and of the test range.

    Inputs are those of the last layer of ranking (`router.ranking.logistic.inputs`) without the ranks of
    channels: what a shopper did with the item, its category and its brand, and how it sells. How it sells is
    counted from before the range's first point, so that no label is part of an input.

    Raises ValueError where a range holds no point.
    """
    drawn = _Drawn(dataset, sizes, np.random.default_rng(seed), seed)
    train, spare = drawn.train()
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)
    return Ranges(
        train,
        drawn.valid(),
        drawn.test(),
        input_names(()),
        drawn.log,
        ItemFeatures.from_catalogue(dataset.catalogue),
        counts,
        spare,
    )


def learning_ranges(
    dataset: Dataset,
    samples: SampleSettings,
    training: TrainingSettings,
    weights: Float32 | None = None,
) -> LearningRanges:
    """The same, without those to be measured by: what a ranker that is to serve learns from.

    `weights`: float32[e], what each event of the data set counts as a sample, in the order of its events; a
    moment of which nothing counts is left out. None: 1 each.

    Raises TrainingError where a range holds no point.
    """
    sizes = LogSizes(
        train_points=samples.max_points,
        valid_points=training.validation_points,
        positives=samples.positives,
        negatives=samples.negatives,
        test_negatives=2 * samples.negatives,
        spare_negatives=0,
        sources=samples.negative_sources,
        positive_events=samples.positive_events,
        horizon=samples.horizon,
    )
    try:
        drawn = _Drawn(dataset, sizes, np.random.default_rng(training.seed), training.seed, weights)
        return LearningRanges(drawn.train()[0], drawn.valid())
    except ValueError as error:
        raise TrainingError(str(error)) from error


class _Drawn:
    """Draws the examples of a data set; the order of the calls is a part of what the seed fixes."""

    def __init__(
        self,
        dataset: Dataset,
        sizes: LogSizes,
        random: np.random.Generator,
        seed: int,
        weights: Float32 | None = None,
    ) -> None:
        self._dataset = dataset
        self._sizes = sizes
        self._random = random
        self._seed = seed
        self._events, self._users = build_events(dataset.events()), dataset.users()
        weighed = self._events
        if weights is not None:
            weighed = weighed.with_columns(pl.Series("weight", weights))
        self.log = InteractionLog.of_events(weighed, self._users, dataset)

    def train(self) -> tuple[Examples, NDArray[np.int32]]:
        """The newest points before the validation range, and `spare_negatives` of each."""
        sizes, span = self._sizes, (0, self._dataset.manifest.cuts.valid_from)
        return self._of("train", span, sizes.train_points, sizes.negatives, spare=sizes.spare_negatives)

    def valid(self) -> Examples:
        """Drawn points of the validation range."""
        cuts, sizes = self._dataset.manifest.cuts, self._sizes
        span = (cuts.valid_from, cuts.test_from)
        return self._of("valid", span, sizes.valid_points, sizes.test_negatives)[0]

    def test(self) -> Examples:
        """Drawn points of the test range."""
        span, sizes = (self._dataset.manifest.cuts.test_from, FOREVER), self._sizes
        return self._of("test", span, sizes.test_points, sizes.test_negatives)[0]

    def _of(
        self, name: str, span: tuple[int, int], count: int, negatives: int, spare: int | None = None
    ) -> tuple[Examples, NDArray[np.int32]]:
        dataset, sizes, random = self._dataset, self._sizes, self._random
        samples = SampleSettings(
            positives=sizes.positives,
            negatives=negatives,
            horizon=sizes.horizon,
            positive_events=sizes.positive_events,
            negative_sources=sizes.sources,
        )
        points = cut_points(self.log, samples, span, random, max_points=count, most_recent=spare is not None)
        if not len(points):
            raise ValueError(f"the {name} range {span} holds no sample point; move the data set's cuts")
        sampler = NegativeSampler.fit(self.log, samples.negative_sources, span)
        labelled = with_candidates(points, sampler, negatives, random)
        further = sampler.draw(points, spare, random) if spare else np.empty((len(points), 0), np.int32)
        first = int(points.now.min())
        before = self._events.filter(pl.col("ts") < first)
        source = BuildSource(before, self._users, dataset.catalogue, first - 1, vectors={}, seed=self._seed)
        facts = item_facts(source, _RATE_PRIOR)
        return _examples(dataset, self.log, self._users, labelled, facts), further


def _examples(
    dataset: Dataset, log: InteractionLog, users: pl.DataFrame, labelled: LabelledPoints, facts: ItemFacts
) -> Examples:
    profiles, triggers = profiles_of(users), TriggerSettings()
    inputs: list[Float32] = []
    points = labelled.points
    for user, now, items in zip(points.user.tolist(), points.now.tolist(), labelled.items, strict=True):
        query = shopper_at(log, user, profiles, now, triggers).query
        present = items[items > 0]
        nowhere = np.zeros(present.size, np.float32)
        candidates = unscored(present, nowhere.astype(np.uint32), nowhere, nowhere.astype(np.int32))
        inputs.append(ranker_inputs(query, candidates, facts, dataset.catalogue, ()))
    known = labelled.items > 0
    return Examples(
        inputs=np.concatenate(inputs),
        grades=labelled.labels[known].astype(np.int64),
        query=np.nonzero(known)[0].astype(np.int64),
        unit=points.user.astype(np.int64),
        labelled=labelled,
        moment=points.now.astype(np.int64),
        counts=None if labelled.weights is None else labelled.weights[known],
    )
