"""The metrics of photo search."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class PhotoSearchMetrics:
    """What became of photos."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.photos = metrics.counts(
            "photos",
            "Photos of callers: encoded, not_encoded (Triton did not answer), no_pictures (nothing to "
            "search), or why they were refused.",
            "outcome",
        )


class PutPicturesMetrics:
    """What became of pictures that were put and deleted."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.put_pictures = metrics.counts(
            "put_pictures",
            "Pictures that operators put or deleted: stored, deleted, unchanged, no_pictures (a "
            "call to a shop without), or why they were refused.",
            "outcome",
        )
