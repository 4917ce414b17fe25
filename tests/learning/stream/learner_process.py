"""A process that learns from a log until SIGTERM, and then prints the digest of its state.

python -m tests.learning.stream.learner_process SETTINGS, the settings of a router as JSON
"""

from __future__ import annotations

import signal
import sys
import threading

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from server.settings import RouterSettings
from state.attribution import AttributionCodec
from state.registry import open_state
from tests.learning.stream.logs import facts_of


def main(given: str) -> None:
    """Learns, and prints sequence number and digest."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    settings = RouterSettings.model_validate_json(given)
    store = open_state(settings.state)
    learner = Learner(
        settings.learning,
        store,
        "log",
        AttributionCodec.from_settings(settings.attribution),
        facts_of(settings),
        LearnerMetrics(ProcessMetrics()),
    )
    print("learning", flush=True)
    learner.run(stop)
    print(learner.state.seq, learner.digest(), flush=True)
    learner.close()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
