"""Load at twice the capacity: `python -m benchmarks.overload`.

Finds the capacity with callers that wait for their answers (closed loop), then sends Poisson arrivals at a
multiple of it whatever comes back (open loop), and at last half of it, to see the router recover. Reports the
share refused and how quickly, the answers within their deadline, and the memory over time; latencies count
from the intended start. Written as JSON to build/benchmarks/overload.json.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from rich.console import Console

from benchmarks.malformed import apart, held
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress.router_handle import RouterHandle
from server.ingress.status import PUSHBACK_KEY
from shopfront.serve import serving
from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, PROJECT, Workspace
from snapshot.dataset import DatasetStore
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "overload.json"
_CONNECTIONS = 16
_CALLERS = 32
_MEMORY_EVERY_S = 2.0
_REFUSED = "RESOURCE_EXHAUSTED"


@dataclass
class Seen:
    """Seconds from the intended start to the end, by status, and how late the sender itself was."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    degraded: Counter[str] = field(default_factory=Counter)
    sender_late_s: list[float] = field(default_factory=list)

    def add(self, status: str, seconds: float) -> None:
        """Records one request that ended with `status`."""
        self.seconds.setdefault(status, []).append(seconds)


class Callers:
    """Stubs on several connections, and the shoppers they ask for."""

    def __init__(
        self, address: str, users: Sequence[str], deadline_s: float, patience_s: float, seed: int
    ) -> None:
        """Opens the connections; `seed` draws the shoppers."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        self._channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(_CONNECTIONS)]
        self._stubs = [RecommendServiceStub(channel) for channel in self._channels]
        self._users = users
        self._deadline_s = deadline_s
        self._patience_s = patience_s
        self._chance = random.Random(seed)

    async def ask(self, seen: Seen, intended: float) -> float:
        """One request, noted in `seen`; seconds it was asked to wait where it was refused, else 0."""
        request = RecommendRequest(
            scene="home", user_id=self._chance.choice(self._users), timeout_ms=int(self._deadline_s * 1_000)
        )
        try:
            # A caller that itself waits longer sees late answers as such.
            answer = await self._chance.choice(self._stubs).Recommend(request, timeout=self._patience_s)
        except grpc.aio.AioRpcError as error:
            seen.add(error.code().name, time.monotonic() - intended)
            return float(dict(error.trailing_metadata()).get(PUSHBACK_KEY, 0)) / 1_000
        seen.add("OK", time.monotonic() - intended)
        seen.degraded.update(answer.degraded)
        return 0.0

    async def closed_loop(self, seconds: float) -> Seen:
        """`_CALLERS` callers, each sending the next request when the last one is answered, or as told."""
        seen, until = Seen(), time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < until:
                pause = await self.ask(seen, time.monotonic())
                await asyncio.sleep(pause)

        await asyncio.gather(*(caller() for _ in range(_CALLERS)))
        return seen

    async def open_loop(self, per_second: float, seconds: float) -> Seen:
        """Poisson arrivals, whatever becomes of them."""
        seen, tasks = Seen(), set()
        intended = began = time.monotonic()
        while intended < began + seconds:
            intended += self._chance.expovariate(per_second)
            await asyncio.sleep(intended - time.monotonic())
            seen.sender_late_s.append(time.monotonic() - intended)
            task = asyncio.create_task(self.ask(seen, intended))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        return seen

    async def close(self) -> None:
        """Closes the connections."""
        for channel in self._channels:
            await channel.close()


def figures(seen: Seen, deadline_s: float) -> dict[str, Any]:
    """What a phase showed."""
    total = sum(map(len, seen.seconds.values()))
    answered, refused = seen.seconds.get("OK", []), seen.seconds.get(_REFUSED, [])
    return {
        "requests": total,
        "statuses": {status: len(seconds) for status, seconds in seen.seconds.items()},
        "refused_share": len(refused) / total,
        "refused_ms": _percentiles(refused),
        "answered_ms": _percentiles(answered),
        "answered_within_deadline": float(np.mean(np.array(answered) <= deadline_s)) if answered else None,
        "degraded": dict(seen.degraded),
        "sender_late_ms": _percentiles(seen.sender_late_s),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {f"p{p}": float(np.percentile(seconds, p)) * 1_000 for p in (50, 90, 99)}


async def _memory(router: RouterHandle, into: list[dict[str, float]]) -> None:
    began = time.monotonic()
    processes = router.processes()
    while True:
        into.append({"at_s": time.monotonic() - began, "resident_mib": held(processes).resident_mib})
        await asyncio.sleep(_MEMORY_EVERY_S)


async def measure(
    router: RouterHandle, users: Sequence[str], arguments: argparse.Namespace, say: Any
) -> dict[str, Any]:
    """Capacity, overload and recovery, in turn."""
    deadline_s = arguments.deadline_ms / 1_000
    callers = Callers(router.address, users, deadline_s, deadline_s * arguments.patience, seed=1)
    memory: list[dict[str, float]] = []
    await callers.closed_loop(3.0)
    closed = await callers.closed_loop(arguments.capacity_seconds)
    capacity = len(closed.seconds.get("OK", [])) / arguments.capacity_seconds
    say(f"capacity: {capacity:.0f} answers/s")
    watching = asyncio.create_task(_memory(router, memory))
    overload = await callers.open_loop(capacity * arguments.times, arguments.seconds)
    recovery = await callers.open_loop(capacity / 2, min(30.0, arguments.seconds))
    watching.cancel()
    await callers.close()
    return {
        "capacity_per_second": capacity,
        "offered_per_second": capacity * arguments.times,
        "seconds": arguments.seconds,
        "deadline_ms": arguments.deadline_ms,
        "closed_loop": figures(closed, deadline_s),
        "overload": figures(overload, deadline_s),
        "recovery": figures(recovery, deadline_s),
        "memory": memory,
        "memory_growth_mib": memory[-1]["resident_mib"] - memory[min(2, len(memory) - 1)]["resident_mib"],
    }


def main() -> None:
    """Serve a workspace, load it and write the figures."""
    arguments = _arguments()
    console = Console()
    workspace = Workspace(arguments.workspace.absolute())
    users = DatasetStore(workspace.datasets).open_current(verify=False).users()["user_id"].to_list()
    with tempfile.TemporaryDirectory(prefix="overload-") as scratch:
        settings = apart(load_settings(DEFAULT_FILE, workspace), Path(scratch), arguments.ingress)
        if arguments.max_concurrent or arguments.max_working:
            plain = settings.model_dump(mode="json")
            admission = plain["router"]["admission"]
            admission["max_concurrent"] = arguments.max_concurrent or admission["max_concurrent"]
            admission["max_working"] = arguments.max_working or admission["max_working"]
            settings = Settings.model_validate(plain)
        with serving(workspace, settings, console.print) as served:
            report = asyncio.run(measure(served.router, users, arguments, console.print))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    path = RESULT.with_stem(f"overload_{arguments.ingress}")
    write_durably(path, json.dumps({"ingress": arguments.ingress, **report}, indent=1).encode())
    console.print_json(data={name: value for name, value in report.items() if name != "memory"})
    console.print(f"written to {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--ingress", choices=("haproxy", "grpc"), default="grpc")
    parser.add_argument("--times", type=float, default=2.0, help="multiple of the capacity that is offered")
    parser.add_argument("--seconds", type=float, default=300.0, help="seconds of overload")
    parser.add_argument("--capacity-seconds", type=float, default=10.0, help="seconds of the closed loop")
    parser.add_argument("--deadline-ms", type=float, default=300.0, help="time each request is given")
    parser.add_argument("--max-concurrent", type=int, default=0, help="0 = as configured")
    parser.add_argument("--max-working", type=int, default=0, help="0 = as configured")
    parser.add_argument(
        "--patience", type=float, default=4.0, help="times the deadline that the caller itself waits"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
