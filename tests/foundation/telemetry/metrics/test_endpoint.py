import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from foundation.telemetry.metrics import MetricsServer, prepare_folder, serve_metrics

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]
NOW = 1_700_000_000.0
Counting = Callable[[int, int, float], subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
def start(folder: Path) -> Iterator[Counting]:
    processes: list[subprocess.Popen[str]] = []

    def starter(requests: int, queued: int, created: float) -> subprocess.Popen[str]:
        arguments = [str(folder), str(requests), str(queued), str(created)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.foundation.telemetry.metrics.counting_process", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        return process

    yield starter
    for process in processes:
        process.communicate(timeout=30)


@pytest.fixture
def server(folder: Path) -> Iterator[MetricsServer]:
    running = serve_metrics(0, folder, lambda: NOW)
    yield running
    running.close()


def scrape(server: MetricsServer) -> dict[tuple[str, str], float]:
    """Sample values by name and scene or queue."""
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as response:
        text = response.read().decode()
    return {
        (sample.name, sample.labels.get("scene") or sample.labels.get("queue") or ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_an_empty_folder_answers_nothing(server: MetricsServer) -> None:
    assert scrape(server) == {}


def test_processes_are_added_up_and_the_dead_leave_only_their_counts(
    server: MetricsServer, start: Counting
) -> None:
    first = start(3, 10, NOW - 100)
    start(4, 20, NOW - 50)
    found = scrape(server)
    assert found["shopfront_requests_total", "home"] == 7
    assert found["shopfront_request_seconds_count", "home"] == 7
    assert found["shopfront_queue_depth", "state_events"] == 30
    assert found["shopfront_snapshot_age_seconds", ""] == 100

    first.kill()
    first.wait(timeout=30)
    found = scrape(server)
    assert found["shopfront_requests_total", "home"] == 7
    assert found["shopfront_queue_depth", "state_events"] == 20
    assert found["shopfront_snapshot_age_seconds", ""] == 50


def test_a_process_without_a_snapshot_shows_no_age(server: MetricsServer, start: Counting) -> None:
    start(1, 0, 0.0)
    assert ("shopfront_snapshot_age_seconds", "") not in scrape(server)


def test_preparing_removes_the_counts_of_the_dead_alone(folder: Path, start: Counting) -> None:
    dead, alive = start(1, 1, 1.0), start(1, 1, 1.0)
    dead.communicate(timeout=30)
    (folder / "notes.txt").write_text("not a count")
    prepare_folder(folder)
    names = {path.name for path in folder.iterdir()}
    assert not {name for name in names if f"_{dead.pid}.db" in name}
    assert {f"counter_{alive.pid}.db", f"gauge_livesum_{alive.pid}.db", "notes.txt"} <= names


def test_a_taken_port_is_an_error(server: MetricsServer, folder: Path) -> None:
    with pytest.raises(OSError, match="already in use"):
        serve_metrics(server.port, folder)


def test_a_process_counts_in_one_folder(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from foundation.telemetry.metrics import open_metrics\n"
        "open_metrics(Path(sys.argv[1])); open_metrics(Path(sys.argv[2]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(folder) + "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert f"counts in {folder} already" in result.stderr
