"""What is counted of admission, each second, whatever happens to calls between two seconds."""

from __future__ import annotations

import random

import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from router.errors import OverloadError
from router.service.admission import Admission
from router.service.compute_limiter import ComputeLimiter
from router.service.loop_load import LoopLoad
from router.service.overload_metrics import OverloadMetrics
from router.service.quality import QualityFactors
from router.service.settings import AdmissionSettings


def test_calls_refused_after_they_were_seen_in_progress_are_counted_once() -> None:
    metrics, load = ProcessMetrics(), LoopLoad(lambda: 0.0, lambda: 0.0)
    admission = Admission(AdmissionSettings(max_concurrent=4), load, random.Random(1))
    limiter = ComputeLimiter(1, admission.loop_is_full, lambda: admission.arrived, lambda: 0.0)
    overload = OverloadMetrics(metrics, admission, limiter, load, QualityFactors())

    def counted(outcome: str) -> float | None:
        return metrics.registry.get_sample_value("shopfront_admission_total", {"outcome": outcome})

    waiting = [admission.admit() for _ in range(3)]
    for call in waiting:
        call.__enter__()
    with admission.admit():
        with pytest.raises(OverloadError), admission.admit():
            pytest.fail("a fifth call was admitted")
        overload.observe()
    overload.observe()
    assert (counted("admitted"), counted("deadline"), counted("concurrency")) == (1, None, 1)
    for call in waiting:
        with pytest.raises(OverloadError) as refused:
            admission.require_own_time(-1.0, 1.0)
        call.__exit__(refused.type, refused.value, None)
        overload.observe()
    # What a full queue of events refuses was admitted.
    with pytest.raises(OverloadError), admission.admit():
        raise OverloadError(0.1, "the queue of events to be stored is full")
    overload.observe()
    assert (counted("admitted"), counted("deadline")) == (2, 3)
