"""What one process of a test sends."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.schedule import Curve


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part of a test: requests `first`, `first + stride`, … while there are `total` of them.

    `limit`: requests under way at a time. `duration_ns`, `timeout_ns`, `stream_interval_ns`,
    `stream_call_duration_ns`: 0 = none. `stop`: what becomes of requests under way when the duration is over.
    `worker_prefix`: what the names of workers begin with.
    """

    first: int
    stride: int
    total: int | None
    limit: Curve
    duration_ns: int
    stop: str
    timeout_ns: int
    skip_first: int
    count_errors: bool
    details: int
    stream_interval_ns: int = 0
    stream_call_duration_ns: int = 0
    stream_receive_count: int = 0
    worker_prefix: str = ""
