"""Whether a router's processes go on growing: memory noted along a run, and a line through its later half.

The memory is what belongs to the process alone (`Pss_Anon` of /proc/<pid>/smaps_rollup): mapped files, such
as snapshots and LMDB's pages, come and go with the page cache and are no leak.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil

NOISE_MIB = 12.0
"""What a process may take in the later half of a run without it being called growth: allocators keep a few
MiB, and a process writes its buffers when it likes."""
BYTES_PER_REQUEST = 128.0
SURE = 0.01
"""A rise that chance alone would show no oftener is one: huge messages make memory swing by tens of MiB, and
some line can be drawn through any swing."""


@dataclass(frozen=True)
class Held:
    """What processes of one kind hold together."""

    resident_mib: float
    anonymous_mib: float
    files: int
    threads: int


@dataclass
class Course:
    """What each kind of process held, noted as a run went on."""

    requests: list[int] = field(default_factory=list)
    held: dict[str, list[Held]] = field(default_factory=dict)

    def note(self, requests: int, processes: Sequence[psutil.Process]) -> None:
        """Notes what the processes hold after so many requests."""
        self.requests.append(requests)
        for kind, found in held_by_kind(processes).items():
            self.held.setdefault(kind, []).append(found)

    def verdict(self) -> dict[str, Any]:
        """By kind of process: what it took in the later half of the run, and whether it grows."""
        return {kind: self._verdict(kind) for kind in self.held}

    def _verdict(self, kind: str) -> dict[str, Any]:
        held = self.held[kind]
        half = len(held) // 2
        requests, later = self.requests[half:], held[half:]
        if len(held) != len(self.requests) or len(later) < 3:
            return {"grows": None, "why": "processes of this kind came or went, or there are too few notes"}
        slope_mib = _slope(requests, [each.anonymous_mib for each in later])
        took_mib = slope_mib * (requests[-1] - requests[0])
        files = later[-1].files - later[0].files
        threads = later[-1].threads - later[0].threads
        chance = _chance_of_rise([each.anonymous_mib for each in later])
        grows = took_mib > NOISE_MIB and slope_mib * 2**20 > BYTES_PER_REQUEST and chance <= SURE
        return {
            "bytes_per_request": round(slope_mib * 2**20, 1),
            "mib_in_the_later_half": round(took_mib, 2),
            "by_chance": round(chance, 4),
            "files_in_the_later_half": files,
            "threads_in_the_later_half": threads,
            "grows": grows or files > len(later) or threads > len(later),
        }

    def written(self) -> dict[str, Any]:
        """The notes as JSON values."""
        return {
            "requests": self.requests,
            **{kind: [asdict(each) for each in held] for kind, held in self.held.items()},
        }


def held(processes: Sequence[psutil.Process]) -> Held:
    """What the living processes hold together."""
    return _together(list(held_by_kind(processes).values()))


def held_by_kind(processes: Sequence[psutil.Process]) -> dict[str, Held]:
    """What the living processes hold: replicas, HAProxy, Ray Serve's proxies, and the rest of Ray."""
    groups: dict[str, list[Held]] = {}
    for process in processes:
        try:
            resident, anonymous = _memory_mib(process.pid)
            one = Held(resident, anonymous, process.num_fds(), process.num_threads())
            groups.setdefault(_kind(process), []).append(one)
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            continue
    return {kind: _together(found) for kind, found in groups.items()}


def _together(found: Sequence[Held]) -> Held:
    return Held(
        sum(each.resident_mib for each in found),
        sum(each.anonymous_mib for each in found),
        sum(each.files for each in found),
        sum(each.threads for each in found),
    )


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    if words.startswith("ray::ServeRepl"):
        return "replicas"
    if words.startswith("ray::"):
        return "serve"
    return "haproxy" if process.name() == "haproxy" else "rest"


def _memory_mib(pid: int) -> tuple[float, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return kib["Rss"] / 1024, kib["Pss_Anon"] / 1024


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """The median of the slopes between all pairs (Theil and Sen), which one outlier cannot move."""
    pairs = combinations(range(len(x)), 2)
    return statistics.median((y[b] - y[a]) / (x[b] - x[a]) for a, b in pairs if x[b] > x[a])


def _chance_of_rise(y: Sequence[float]) -> float:
    """How likely values without order would rise as much: Mann's test of trend (Econometrica 13, 1945).

    One-sided, by the normal approximation, without a correction for ties: those make it say less than sure.
    """
    count = len(y)
    score = sum((b > a) - (b < a) for a, b in combinations(y, 2))
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return 1 - statistics.NormalDist().cdf((score - 1) / spread)
