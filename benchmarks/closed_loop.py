"""A closed-loop gRPC load: so many callers, each sending its next request when its last is answered.

Run as a process of its own, so that its Python does not share an interpreter with the server:
`python -m benchmarks.closed_loop <plan.json>` prints the outcome as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np

from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc


@dataclass(frozen=True)
class Plan:
    """One load: `requests` calls of `Recommend` in all, `concurrency` at a time, users taken in turn."""

    address: str
    scene: str
    users: list[str]
    concurrency: int
    requests: int
    page_size: int = 20
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Outcome:
    """Latencies in ms over the answered calls; `errors` by gRPC status; `degraded` by name."""

    concurrency: int
    requests: int
    errors: dict[str, int]
    degraded: dict[str, int]
    short_pages: int
    per_second: float
    mean_ms: float
    p50_ms: float
    p99_ms: float


async def drive(plan: Plan) -> Outcome:
    """Send the plan's requests and summarise what came back."""
    remaining = iter(range(plan.requests))
    latencies: list[float] = []
    errors: Counter[str] = Counter()
    degraded: Counter[str] = Counter()
    short = 0
    # A few connections, as a backend has: with one, a server that spreads connections over processes idles.
    connections = [
        grpc.aio.insecure_channel(plan.address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(min(plan.concurrency, 8))
    ]
    stubs = [recommend_pb2_grpc.RecommendServiceStub(connection) for connection in connections]

    async def caller(stub: recommend_pb2_grpc.RecommendServiceStub) -> None:
        nonlocal short
        for index in remaining:
            request = recommend_pb2.RecommendRequest(
                scene=plan.scene, user_id=plan.users[index % len(plan.users)], page_size=plan.page_size
            )
            began = time.perf_counter()
            try:
                response = await stub.Recommend(request, timeout=plan.timeout_s)
            except grpc.aio.AioRpcError as error:
                errors[error.code().name] += 1
                continue
            latencies.append((time.perf_counter() - began) * 1e3)
            degraded.update(response.degraded)
            short += len(response.items) < plan.page_size

    began = time.perf_counter()
    await asyncio.gather(*(caller(stubs[i % len(stubs)]) for i in range(plan.concurrency)))
    elapsed = time.perf_counter() - began
    for connection in connections:
        await connection.close()
    p50, p99 = np.percentile(latencies, [50, 99]) if latencies else (float("nan"), float("nan"))
    return Outcome(
        concurrency=plan.concurrency,
        requests=plan.requests,
        errors=dict(errors),
        degraded=dict(degraded),
        short_pages=short,
        per_second=len(latencies) / elapsed,
        mean_ms=float(np.mean(latencies)) if latencies else float("nan"),
        p50_ms=float(p50),
        p99_ms=float(p99),
    )


def drive_in_process(plan: Plan, folder: Path) -> Outcome:
    """Run `drive` in a process of its own; raises CalledProcessError where it fails."""
    path = folder / "plan.json"
    path.write_text(json.dumps(asdict(plan)))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.closed_loop", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Outcome(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(drive(Plan(**json.loads(Path(sys.argv[1]).read_text())))))))
