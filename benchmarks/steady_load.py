"""A steady open-loop load in a process of its own: recommendations and events at fixed rates.

Calls are sent when they are due, so a service that stops answering still receives calls. Each call is
sent again at most once after UNAVAILABLE, and where the plan says so whenever it was told when to come back.
`steady_load(plan)` starts the process and collects a `Sent` per
finished call; `python -m benchmarks.steady_load <plan.json>` is the process: one JSON line per call until its
standard input ends.
"""

import asyncio
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import grpc
import msgspec

from protos.shopfront.v1 import event_pb2, event_pb2_grpc, recommend_pb2, recommend_pb2_grpc
from server.ingress.status import PUSHBACK_KEY

CONNECTIONS = 8
BATCH = 3
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
            [sys.executable, "-m", "benchmarks.steady_load", str(path)],
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


class _Caller:
    """Sends the calls of a plan and prints what became of each."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        # Each of these is a connection of its own, as several machines of callers would have. What no server
        # took gRPC itself sends again, as for every caller: a HAProxy that hands over closes its connections.
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            # By gRPC's own rule a client stays away for seconds after a few refused connections.
            ("grpc.initial_reconnect_backoff_ms", 100),
            # How long one attempt to connect may take, too: a slow handshake is no refusal.
            ("grpc.min_reconnect_backoff_ms", 1_000),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        self._channels = [
            grpc.aio.insecure_channel(plan.address, options=options) for _ in range(CONNECTIONS)
        ]
        self._encoder = msgspec.json.Encoder()
        self._turn = itertools.count()

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    def _channel(self) -> grpc.aio.Channel:
        return self._channels[next(self._turn) % CONNECTIONS]

    async def recommend(self, number: int, due: float) -> None:
        plan = self._plan
        request = recommend_pb2.RecommendRequest(
            scene=plan.scene, user_id=plan.users[number % len(plan.users)], page_size=plan.page_size
        )
        first, status, detail, answer = await self._call(
            lambda channel: recommend_pb2_grpc.RecommendServiceStub(channel).Recommend, request, again=True
        )
        shown: dict[str, Any] = {}
        if answer is not None:
            shown = {
                "items": len(answer.items),
                "degraded": tuple(answer.degraded),
                "snapshot": answer.snapshot_id,
                "model_version": answer.model_version,
            }
        self._print(Sent("recommend", due, time.monotonic(), first, status, detail, **shown))

    async def report(self, number: int, due: float) -> None:
        plan = self._plan
        # Every fourth call is of a caller who gives events no id and therefore must not send them again.
        with_ids = number % 4 != 3
        ids = tuple(f"steady-{number}-{position}" for position in range(1 + number % BATCH))
        events = [
            event_pb2.Event(
                user_id=plan.users[(number * 7 + position) % len(plan.users)],
                item_id=plan.items[(number * 13 + position) % len(plan.items)],
                type=event_pb2.EVENT_TYPE_VIEW,
                event_id=id if with_ids else "",
                session_id=id,
                timestamp_ms=int(time.time() * 1_000),
            )
            for position, id in enumerate(ids)
        ]
        first, status, detail, answer = await self._call(
            lambda channel: event_pb2_grpc.EventServiceStub(channel).ReportEvents,
            event_pb2.ReportEventsRequest(events=events),
            again=with_ids,
        )
        accepted = answer is not None and answer.accepted == len(ids)
        if answer is not None and not accepted:
            status, detail = "REFUSED", str(answer.errors)
        self._print(
            Sent(
                "events",
                due,
                time.monotonic(),
                first,
                status,
                detail,
                len(ids),
                events=ids,
                with_ids=with_ids,
            )
        )

    async def _call(
        self, method: Callable[[grpc.aio.Channel], Any], request: Any, *, again: bool
    ) -> tuple[str, str, str, Any]:
        """Status of the first try, status and details of the last, and the answer if there is one.

        `again`: whether the call may be sent more than once.
        """
        gives_up = time.monotonic() + self._plan.patience_s
        # Every try on one channel. Where connecting has failed, a try fails at once; on another channel, the
        # connection of which leads to a process that hangs and is then killed, the second would fail too.
        send = method(self._channel())
        codes, detail, waits = list[str](), "", False
        while True:
            left_s = max(0.05, gives_up - time.monotonic())
            try:
                answer = await send(request, timeout=left_s, wait_for_ready=waits)
                return [*codes, "OK"][0], "OK", detail, answer
            except grpc.aio.AioRpcError as error:
                codes.append(error.code().name)
                detail = error.details() or detail
                pause_s = self._pause_s(error, codes) if again else None
            if pause_s is None or time.monotonic() + pause_s >= gives_up:
                return codes[0], codes[-1], detail, None
            await asyncio.sleep(pause_s)
            waits = True

    def _pause_s(self, error: grpc.aio.AioRpcError, codes: Sequence[str]) -> float | None:
        """After how many seconds the call is sent again; None: not at all. `codes`: of its tries so far."""
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return self._plan.retry_pause_s if codes.count("UNAVAILABLE") == 1 else None
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and self._plan.returns_when_told:
            told = dict(error.trailing_metadata() or ()).get(PUSHBACK_KEY)
            return None if told is None else int(told) / 1_000
        return None

    def _print(self, sent: Sent) -> None:
        sys.stdout.buffer.write(self._encoder.encode(sent) + b"\n")
        sys.stdout.buffer.flush()


async def _send_all(plan: LoadPlan) -> None:
    caller = _Caller(plan)
    stop = asyncio.Event()
    threading.Thread(
        target=lambda loop: (sys.stdin.buffer.read(), loop.call_soon_threadsafe(stop.set)),
        args=(asyncio.get_running_loop(),),
        daemon=True,
    ).start()
    under_way: set[asyncio.Task[None]] = set()

    async def send(rate: float, call: Callable[[int, float], Any]) -> None:
        began = time.monotonic()
        for turn in itertools.count():
            due = began + turn / rate
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await stop.wait()
                return
            except TimeoutError:
                if stop.is_set():
                    return
            task = asyncio.create_task(call(plan.first_number + turn, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    await asyncio.gather(send(plan.recommend_per_s, caller.recommend), send(plan.events_per_s, caller.report))
    await asyncio.gather(*under_way)
    await caller.close()


if __name__ == "__main__":
    asyncio.run(_send_all(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=LoadPlan)))
