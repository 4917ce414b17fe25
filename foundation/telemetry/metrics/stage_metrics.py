"""Counts what the pipeline's runner observes.

A request has some twenty stages and a count in a shared file costs 1 to 2 µs, so counting each at once would
cost a request a tenth of a millisecond. Stages are therefore added up in plain numbers, about 1 µs each, and
written to the files twice a second.
"""

import threading
from bisect import bisect_left

from prometheus_client import Histogram

from foundation.telemetry.metrics.pipeline_metrics import PipelineMetrics
from foundation.telemetry.metrics.process_metrics import STAGE_BUCKETS, ProcessMetrics
from pipeline.metrics import SideEffectOutcome
from pipeline.trace import StageRecord

FLUSH_S = 0.5


class _StageSums:
    """What was observed of one stage since the last flush."""

    __slots__ = ("buckets", "count_in", "count_out", "outcomes", "removed", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(STAGE_BUCKETS) + 1)
        self.seconds = 0.0
        self.count_in = 0
        self.count_out = 0
        self.outcomes: dict[str, int] = {}
        self.removed: dict[str, int] = {}


class _PageSums:
    """What was observed of one scene's pages since the last flush."""

    __slots__ = ("degraded", "filled", "wanted")

    def __init__(self) -> None:
        self.wanted = 0
        self.filled = 0
        self.degraded: dict[str, int] = {}


class PrometheusStageMetrics:
    """`pipeline.metrics.StageMetrics` on Prometheus, up to half a second late.

    What was not flushed when a process is killed is lost.
    """

    def __init__(self, metrics: ProcessMetrics) -> None:
        """`metrics`: of this process."""
        self._metrics = metrics.group(PipelineMetrics)
        self._lock = threading.Lock()
        self._stages: dict[tuple[str, str], _StageSums] = {}
        self._pages: dict[str, _PageSums] = {}
        self._armed = False

    def stage(self, pipeline: str, record: StageRecord) -> None:
        """See `StageMetrics.stage`."""
        seconds = record.elapsed_ms / 1000.0
        bucket = bisect_left(STAGE_BUCKETS, seconds)
        with self._lock:
            sums = self._stages.get((pipeline, record.stage))
            if sums is None:
                sums = self._stages[pipeline, record.stage] = _StageSums()
                self._arm()
            sums.buckets[bucket] += 1
            sums.seconds += seconds
            sums.count_in += record.count_in
            sums.count_out += record.count_out
            sums.outcomes[record.outcome] = sums.outcomes.get(record.outcome, 0) + 1
            for reason, count in record.removed.items():
                sums.removed[reason] = sums.removed.get(reason, 0) + count

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        """See `StageMetrics.page`."""
        with self._lock:
            sums = self._pages.get(pipeline)
            if sums is None:
                sums = self._pages[pipeline] = _PageSums()
                self._arm()
            sums.wanted += page_size
            sums.filled += filled
            for part in degraded:
                sums.degraded[part] = sums.degraded.get(part, 0) + 1

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        """See `StageMetrics.side_effect`; counted at once, by name over all pipelines."""
        self._metrics.side_effects[name, outcome].inc()
        if outcome != "dropped":
            self._metrics.side_effect_seconds[name,].observe(elapsed_ms / 1000.0)

    def flush(self) -> None:
        """Writes what was added up since the last flush."""
        with self._lock:
            stages, self._stages = self._stages, {}
            pages, self._pages = self._pages, {}
            self._armed = False
        metrics = self._metrics
        for (scene, stage), sums in stages.items():
            _add_observations(metrics.stage_seconds[scene, stage], sums.buckets, sums.seconds)
            metrics.candidates_in[scene, stage].inc(sums.count_in)
            metrics.candidates_out[scene, stage].inc(sums.count_out)
            for outcome, count in sums.outcomes.items():
                metrics.stage_outcomes[scene, stage, outcome].inc(count)
            for reason, count in sums.removed.items():
                metrics.removed[scene, stage, reason].inc(count)
        for scene, page in pages.items():
            metrics.slots_wanted[scene,].inc(page.wanted)
            metrics.slots_filled[scene,].inc(page.filled)
            for part, count in page.degraded.items():
                metrics.degraded[scene, part].inc(count)

    def _arm(self) -> None:
        # A timer for each flush, rather than a thread that waits for ever, leaves nothing to be closed.
        if not self._armed:
            self._armed = True
            timer = threading.Timer(FLUSH_S, self.flush)
            timer.name = "stage-metrics"
            timer.daemon = True
            timer.start()


def _add_observations(histogram: Histogram, buckets: list[int], total: float) -> None:
    """Adds many observations to a histogram at once, for which the library has no public call."""
    for bucket, count in zip(histogram._buckets, buckets, strict=True):
        if count:
            bucket.inc(count)
    histogram._sum.inc(total)
