"""A steady open-loop load in a process of its own: recommendations and events at fixed rates.

Calls are sent when they are due, so a service that stops answering still receives calls. Each call is
sent again at most once after UNAVAILABLE, and where the plan says so whenever it was told when to come back.
`steady_load(plan)` starts the process, `benchmarks.steady_caller`, and collects a `Sent` per finished call.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

_DRAIN_S = 15.0


class LoadPlan(msgspec.Struct, frozen=True):
    """What is sent: rates in calls per second, patience in seconds for all tries of a call together.

    `retry_pause_s` lies between the two tries; the second waits for a connection as long as patience lasts.
    `returns_when_told`: whether a call that is refused as RESOURCE_EXHAUSTED, with the time after which to
    come back, is sent again then, each time.
    """

    address: str
    scene: str
    users: list[str]
    items: list[str]
    recommend_per_s: float
    events_per_s: float
    patience_s: float = 10.0
    retry_pause_s: float = 0.1
    page_size: int = 20
    returns_when_told: bool = False
    first_number: int = 0
    """Calls are numbered from here; a second load on one event log takes other numbers."""


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """One call; `due` and `ended` in seconds of CLOCK_MONOTONIC, which all processes of a machine share.

    first    gRPC status of the first try
    status   gRPC status of the last try
    events   ids of the events sent; each is also the session_id, by which the log is searched
    with_ids whether they were sent with event_id; only those are sent again
    """

    kind: Literal["recommend", "events"]
    due: float
    ended: float
    first: str
    status: str
    detail: str = ""
    items: int = 0
    degraded: tuple[str, ...] = ()
    snapshot: str = ""
    model_version: str = ""
    events: tuple[str, ...] = ()
    with_ids: bool = True

    @property
    def ok(self) -> bool:
        """Whether the caller got an answer in the end."""
        return self.status == "OK"


class SteadyLoad:
    """The load as its starter sees it: every call that has ended so far, in order of ending."""

    def __init__(self) -> None:
        """A load without a call yet."""
        self.sent: list[Sent] = []

    def since(self, moment: float) -> list[Sent]:
        """Calls that ended after `moment` (monotonic seconds)."""
        found = []
        for call in reversed(self.sent):
            if call.ended < moment:
                break
            found.append(call)
        return found[::-1]

    def wait_until(
        self, good: Callable[[Sequence[Sent]], bool], window_s: float, limit_s: float, least: int = 5
    ) -> bool:
        """Returns True once `good` holds for all recommendations of the last `window_s` seconds."""
        until = time.monotonic() + limit_s
        began = time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.1)
            edge = time.monotonic() - window_s
            recent = [call for call in self.since(edge) if call.kind == "recommend" and call.due >= edge]
            if edge >= began and len(recent) >= least and good(recent):
                return True
        return False


@contextmanager
def steady_load(plan: LoadPlan) -> Iterator[SteadyLoad]:
    """The load of `plan` while the body runs; afterwards every call sent is among `sent`."""
    with tempfile.TemporaryDirectory(prefix="steady-load-") as folder:
        path = Path(folder) / "plan.json"
        path.write_bytes(msgspec.json.encode(plan))
        load = SteadyLoad()
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.steady_caller", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            lines = process.stdout
            decoder = msgspec.json.Decoder(Sent)

            def collect() -> None:
                for line in lines:
                    load.sent.append(decoder.decode(line))

            reader = threading.Thread(target=collect, name="steady-load", daemon=True)
            reader.start()
            try:
                yield load
            finally:
                process.stdin.close()
                try:
                    process.wait(plan.patience_s + _DRAIN_S)
                finally:
                    process.kill()
                reader.join(_DRAIN_S)
        if process.returncode:
            raise RuntimeError(f"the load ended with status {process.returncode}")
