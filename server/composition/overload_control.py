"""What decides how many calls a replica works on: admission and the compute limiter over one load measure."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from router.service.admission import Admission
from router.service.compute_limiter import ComputeLimiter
from router.service.loop_load import LoopLoad, thread_busy_clock
from router.service.settings import AdmissionSettings


@dataclass(frozen=True)
class OverloadControl:
    """The parts that bound the work of one event loop."""

    load: LoopLoad
    admission: Admission
    limiter: ComputeLimiter


def build_overload_control(settings: AdmissionSettings) -> OverloadControl:
    """Builds the parts; call it on the thread of the event loop, whose load is measured from now on."""
    load = LoopLoad(time.monotonic, thread_busy_clock())
    admission = Admission(settings, load, random.Random())
    limiter = ComputeLimiter(
        settings.max_working,
        admission.loop_is_full,
        lambda: admission.arrived,
        time.monotonic,
        load.wanted_but_idle,
    )
    return OverloadControl(load, admission, limiter)
