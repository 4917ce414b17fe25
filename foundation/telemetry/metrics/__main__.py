"""Serves /metrics of the processes that count in a folder, until it is stopped: a sidecar's job.

python -m foundation.telemetry.metrics FOLDER HOST PORT
"""

import signal
import sys
from pathlib import Path

from foundation.telemetry.metrics.endpoint import serve_metrics


def main(folder: Path, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT; the processes must be visible here, or they count as dead."""
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    server = serve_metrics(port, folder, host=host)
    print(f"http://{host}:{server.port}/metrics", flush=True)
    signal.sigwait(stop)
    server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
