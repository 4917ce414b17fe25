"""A process that counts into a folder, says so, and stays until its standard input closes.

python -m tests.foundation.telemetry.metrics.counting_process FOLDER REQUESTS QUEUED SNAPSHOT_CREATED
"""

import sys
from pathlib import Path

# Imported before the folder is known, as another library in a replica may do.
import prometheus_client  # noqa: F401

from foundation.telemetry.metrics import open_metrics
from foundation.telemetry.metrics.counts_file import flush_counts
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from router.engine.snapshot_metrics import SnapshotMetrics
from server.request_metrics import RequestMetrics

metrics = open_metrics(Path(sys.argv[1]))
assert open_metrics(Path(sys.argv[1])) is metrics
for _ in range(int(sys.argv[2])):
    metrics.group(RequestMetrics).observe("Recommend", "home", "OK", 0.01)
metrics.group(QueueMetrics).set_depth("state_events", int(sys.argv[3]))
metrics.group(SnapshotMetrics).created.set(float(sys.argv[4]))
flush_counts()
print("counted", flush=True)
sys.stdin.read()
