"""The metrics of feedback."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class FeedbackMetrics:
    """What shoppers said, and whether they were asked."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.feedback = metrics.counts(
            "feedback", "Feedback of shoppers: stored, repeated (stored before) or refused.", "outcome"
        )
        self.ratings = metrics.counts("feedback_ratings", "Stored ratings, 1 to 5.", "dimension", "value")
        self.items = metrics.counts(
            "feedback_items", "Stored feedback on items by what was said of them.", "said"
        )
        self.tokens = metrics.counts(
            "feedback_tokens_not_credited",
            "Attribution tokens of feedback that were refused (malformed, damaged, forged) or left out "
            "(expired, ahead of the clock; of another shopper's answer; of one without the item).",
            "reason",
        )
        self.asked = metrics.counts("feedback_asked", "Answers of ShouldAsk by their reason.", "reason")
