"""Examples from a shop's log: what a shopper took at a moment, beside items drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.queries import profiles_of, shopper_at
from evaluation.rankers.examples import Examples, Float32, Ranges
from features.profile import PROFILE_FIELDS
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints, with_candidates
from models.negatives import NegativeSampler
from models.samples import cut_points
from models.settings import NegativeSettings, SampleSettings
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
    """

    train_points: int = 4_000
    valid_points: int = 300
    test_points: int = 1_000
    positives: int = 4
    negatives: int = 15
    test_negatives: int = 30
    spare_negatives: int = 60


def log_examples(dataset: Dataset, sizes: LogSizes, seed: int) -> Ranges:
    """The newest points before `cuts.valid_from`, drawn ones of the validation range, and of the test range.

    Inputs are those of the last layer of ranking (`router.ranking.logistic.inputs`) without the ranks of
    channels: what a shopper did with the item, its category and its brand, and how it sells. How it sells is
    counted from before the range's first point, so that no label is part of an input.

    Raises ValueError where a range holds no point.
    """
    random = np.random.default_rng(seed)
    events, users = build_events(dataset.events()), dataset.users()
    log = InteractionLog.from_frames(
        events, users, dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
    cuts = dataset.manifest.cuts
    plan = {
        "train": ((0, cuts.valid_from), sizes.train_points, sizes.negatives, True),
        "valid": ((cuts.valid_from, cuts.test_from), sizes.valid_points, sizes.test_negatives, False),
        "test": ((cuts.test_from, FOREVER), sizes.test_points, sizes.test_negatives, False),
    }
    parts: dict[str, Examples] = {}
    spare: NDArray[np.int32] | None = None
    for name, (span, count, negatives, most_recent) in plan.items():
        samples = SampleSettings(
            positives=sizes.positives, negatives=negatives, negative_sources=NegativeSettings()
        )
        points = cut_points(log, samples, span, random, max_points=count, most_recent=most_recent)
        if not len(points):
            raise ValueError(f"the {name} range {span} holds no sample point; move the data set's cuts")
        sampler = NegativeSampler.fit(log, samples.negative_sources, span)
        labelled = with_candidates(points, sampler, negatives, random)
        if name == "train":
            spare = sampler.draw(points, sizes.spare_negatives, random)
        before = events.filter(pl.col("ts") < int(points.now.min()))
        source = BuildSource(
            before, users, dataset.catalogue, int(points.now.min()) - 1, vectors={}, seed=seed
        )
        parts[name] = _examples(dataset, log, users, labelled, item_facts(source, _RATE_PRIOR))
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)
    return Ranges(
        parts["train"],
        parts["valid"],
        parts["test"],
        input_names(()),
        log,
        ItemFeatures.from_catalogue(dataset.catalogue),
        counts,
        spare,
    )


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
    )
