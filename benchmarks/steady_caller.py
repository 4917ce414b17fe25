"""The process of a steady load: `python -m benchmarks.steady_caller <plan.json>`.

Prints one JSON line per call, a `Sent`, until its standard input ends.
"""

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec

from benchmarks.steady_load import LoadPlan, Sent
from protos.shopfront.v1 import event_pb2, event_pb2_grpc, recommend_pb2, recommend_pb2_grpc
from server.ingress.status import PUSHBACK_KEY

CONNECTIONS = 8
BATCH = 3


class Caller:
    """Sends the calls of a plan and prints what became of each."""

    def __init__(self, plan: LoadPlan) -> None:
        """Connects at the first calls; of the running event loop."""
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
        """Ends its connections."""
        for channel in self._channels:
            await channel.close()

    def _channel(self) -> grpc.aio.Channel:
        return self._channels[next(self._turn) % CONNECTIONS]

    async def recommend(self, number: int, due: float) -> None:
        """Asks for one page; `due`: seconds of CLOCK_MONOTONIC."""
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
        """Reports up to `BATCH` events; `due`: seconds of CLOCK_MONOTONIC."""
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
    caller = Caller(plan)
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
