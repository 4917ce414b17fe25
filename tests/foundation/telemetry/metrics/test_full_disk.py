"""A disk that is full, and a file that others cut off, cost counts for a while, and no process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.telemetry.metrics import serve_metrics
from foundation.telemetry.metrics.counts_file import CountsFile, is_whole
from tests.foundation.telemetry.metrics.test_endpoint import scrape

pytestmark = pytest.mark.slow

COUNTING = """
import sys
from pathlib import Path
from foundation.telemetry.metrics import open_metrics
from foundation.telemetry.metrics.counts_file import flush_counts
from server.request_metrics import RequestMetrics
metrics = open_metrics(Path(sys.argv[1]))
for line in sys.stdin:
    for number in range(int(line)):
        # A series each: the file grows.
        metrics.group(RequestMetrics).observe("Recommend", f"scene {number}", "OK", 0.01)
    flush_counts()
    print("counted", flush=True)
"""


def count(process: subprocess.Popen[str], series: int) -> None:
    """Has the process count one request of each of so many scenes."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{series}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "counted\n", process.wait(30)


def start(folder: Path) -> subprocess.Popen[str]:
    """A process that counts into `folder`."""
    return subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("full_from_the_start", [True, False])
def test_a_full_disk_ends_no_process_and_what_was_counted_meanwhile_is_there_afterwards(
    small_disk: Path, full_from_the_start: bool
) -> None:
    folder, filler = small_disk / "metrics", small_disk / "filler"
    server = serve_metrics(0, folder)
    process = start(folder)
    try:
        if not full_from_the_start:
            count(process, 1)
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
        count(process, 300)
        found = scrape(server)
        # What fits into the blocks that the file has is written, the rest is not.
        assert (found.get(("shopfront_requests_total", "scene 0")) is None) is full_from_the_start
        assert ("shopfront_requests_total", "scene 299") not in found
        filler.unlink()
        count(process, 300)
        found = scrape(server)
        expected = 2 if full_from_the_start else 3
        assert found["shopfront_requests_total", "scene 0"] == expected
        assert found["shopfront_requests_total", "scene 299"] == 2
    finally:
        process.communicate(timeout=30)
        server.close()
    assert process.returncode == 0


@pytest.mark.parametrize(
    "vanish", [lambda file: os.truncate(file, 0), Path.unlink, lambda file: os.truncate(file, 99)]
)
def test_files_that_others_cut_off_or_remove_are_written_again(tmp_path: Path, vanish) -> None:
    server = serve_metrics(0, tmp_path)
    process = start(tmp_path)
    try:
        count(process, 3)
        for file in tmp_path.glob("*.db"):
            vanish(file)
        scrape(server)
        count(process, 3)
        assert scrape(server)["shopfront_requests_total", "scene 2"] == 2
    finally:
        process.communicate(timeout=30)
        server.close()
    assert process.returncode == 0


def test_values_are_in_the_library_s_format(tmp_path: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict

    path = tmp_path / "counter_1.db"
    file = CountsFile(str(path))
    for number in range(1_000):
        file.write_value(f"key {number} ü", number / 2, 7.0)
    assert file.read_value("key 3 ü") == (1.5, 7.0)
    assert file.read_value("new") == (0.0, 0.0)
    file.close()
    assert is_whole(path)
    found = {key: (value, when) for key, value, when, _ in MmapedDict.read_all_values_from_file(path)}
    assert found == {f"key {number} ü": (number / 2, 7.0) for number in range(1_000)} | {"new": (0.0, 0.0)}
