"""The sample points that a network learns from, and those by which its training is stopped."""

from __future__ import annotations

import numpy as np

from models.interaction_log import InteractionLog
from models.samples import SamplePoints, cut_points
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import TrainingError
from snapshot.manifest import Cuts


def training_points(
    log: InteractionLog,
    cuts: Cuts,
    samples: SampleSettings,
    training: TrainingSettings,
    rng: np.random.Generator,
    validation_rng: np.random.Generator,
    *,
    with_history: bool = False,
) -> tuple[SamplePoints, SamplePoints]:
    """Points before `cuts.valid_from`, and held-out ones of [valid_from, test_from).

    `with_history` leaves out points of shoppers who did nothing before. Raises TrainingError where nothing is
    left of one of the two ranges.
    """
    points = cut_points(log, samples, (0, cuts.valid_from), rng, max_points=samples.max_points)
    held_out = cut_points(
        log,
        samples,
        (cuts.valid_from, cuts.test_from),
        validation_rng,
        max_points=training.validation_points,
        most_recent=False,
    )
    if with_history:
        points, held_out = _with_history(points), _with_history(held_out)
    for name, cut in (("before valid_from", points), ("between valid_from and test_from", held_out)):
        if not len(cut):
            what = "sample point with a history" if with_history else "sample point"
            raise TrainingError(
                f"there is no {what} {name} ({cuts.valid_from}, {cuts.test_from}); move the cuts or allow "
                "more event types in samples.positive_events"
            )
    return points, held_out


def _with_history(points: SamplePoints) -> SamplePoints:
    return points.select(np.flatnonzero(points.history_end > points.history_start))
