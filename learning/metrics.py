"""The metrics of the learner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.ranker.ranker import OnlineRanker
from learning.satisfaction.prediction.predictor import SatisfactionPredictor


class LearnerMetrics:
    """What the learner reads, how far behind it is, and what it does not learn from."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._events = metrics.counter("learner_events", "Events of the log that the learner has read.")
        self._samples = metrics.counter("learner_samples", "Labelled samples that the learner has made.")
        self._drops = metrics.counts(
            "learner_drops",
            "Events that do not count, or not as they might (docs/manual/learning.md), by reason.",
            "reason",
        )
        self.lag = metrics.gauge(
            "learner_lag_seconds",
            "Seconds since the arrival of the last event read, while there are further ones; else 0.",
            "livemax",
        )
        self.watermark = metrics.gauge(
            "learner_watermark_seconds",
            "Unix second of the latest arrival that the learner has read.",
            "livemax",
        )
        self.seq = metrics.gauge(
            "learner_sequence", "Sequence number of the last event that the learner has read.", "livemax"
        )
        self._rows = metrics.gauge("learner_rows", "Rows that the learner keeps, by kind.", "livemax", "kind")
        self.checkpoints = metrics.counts(
            "learner_checkpoints", "Checkpoints by outcome: written or failed.", "outcome"
        )
        self.checkpoint_at = metrics.gauge(
            "learner_checkpoint_timestamp_seconds",
            "When the last checkpoint was written, unix seconds; 0 = there is none.",
            "livemax",
        )
        self.held = metrics.counts(
            "learner_versions_held",
            "Versions of the online ranker that were not published, by reason: not_finite, growth, auc_drop.",
            "reason",
        )
        self._published = metrics.gauge(
            "learner_published_samples", "Samples that the published version has learned from.", "livemax"
        )
        self._log_loss = metrics.gauge(
            "learner_log_loss", "Of the latest samples, each predicted before it was learned.", "livemax"
        )
        self._auc = metrics.gauge("learner_auc", "AUC of the same.", "livemax")
        self._ratings = metrics.gauge(
            "learner_ratings", "Ratings of items from which satisfaction is learned.", "livemax"
        )
        self._predicts = metrics.gauge(
            "learner_predicts_satisfaction",
            "1 where satisfaction is predicted; 0 where there are too few ratings, or these do not tell.",
            "livemax",
        )
        self._calibration = metrics.gauge(
            "learner_satisfaction_error",
            "Expected calibration error of the model of satisfaction on ratings it had not seen.",
            "livemax",
        )
        self._seen: Counter[str] = Counter()

    def observe_ranker(self, ranker: OnlineRanker) -> None:
        """Shows what was published last and how well the ranker predicts."""
        self._published.set(ranker.published.samples)
        self._log_loss.set(ranker.recent_log_loss)
        self._auc.set(ranker.recent_auc)

    def observe_satisfaction(self, predictor: SatisfactionPredictor) -> None:
        """Shows what was made of ratings last."""
        self._ratings.set(len(predictor.ratings))
        self._predicts.set(predictor.fitted.model is not None)
        self._calibration.set(predictor.fitted.calibration_error)

    def begin(self, drops: Mapping[str, int]) -> None:
        """What a checkpoint has counted was counted by the process that wrote it."""
        self._seen = Counter(drops)

    def observe(self, events: int, samples: int, drops: Mapping[str, int], rows: Mapping[str, int]) -> None:
        """Counts one batch: its `events` and `samples`, all `drops` up to now, and the present `rows`."""
        self._events.inc(events)
        self._samples.inc(samples)
        for reason, count in drops.items():
            if count > self._seen[reason]:
                self._drops[reason,].inc(count - self._seen[reason])
        self._seen = Counter(drops)
        for kind, count in rows.items():
            self._rows.labels(kind).set(count)
