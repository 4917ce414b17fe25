"""What traces cost a request: switched off, and with none, one in a hundred and every request sampled.

The same pipeline of ready channels behind the same call handler, in one process, in an order drawn anew each
round. Spans go to a collector in a process of its own. What is counted is the processor time of this process
and all its threads, so that making, serialising and sending the spans is part of it, and waiting is not.

Run `python -m benchmarks.tracing [--rounds 200] [--calls 50] [--seed 0]
[--json build/benchmarks/tracing.json]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pipeline import PAGE_SIZE, build
from foundation.telemetry.logs.user_ids import UserIds
from foundation.telemetry.metrics import ProcessMetrics, PrometheusStageMetrics
from foundation.telemetry.tracing.environment import tracing_from_environment
from foundation.telemetry.tracing.open_tracing import Tracing
from foundation.telemetry.tracing.traced_stages import TracedStages
from pipeline import runner
from pipeline.metrics import StageMetrics
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from router.service.call import Call
from router.service.request_log import RequestLog
from router.service.serving_state import ServingState
from router.service.settings import AdmissionSettings
from server.composition.overload_control import build_overload_control
from server.ingress.calls import CallHandler
from server.rpc.accounting import CallAccounting
from server.rpc.methods import BoundMethod, method_table
from snapshot.durable_files import write_durably

RATIOS = (0.0, 0.01, 1.0)
METADATA = (("user-agent", "benchmark"), ("traceparent-of", "nobody"))


class PipelineService:
    """Answers by running a pipeline, in place of the service, whose other work does not concern traces."""

    scenes = ("benchmark",)

    def __init__(self, metrics: StageMetrics) -> None:
        """Builds the pipeline that every method runs."""
        self._pipeline = replace(build(seed=0), metrics=metrics)

    async def recommend(self, request: Any, call: Call) -> RecommendResponse:
        """An empty message, once the pipeline has run."""
        await runner.run(self._pipeline, None, PAGE_SIZE, time.monotonic() + 10.0, time.monotonic)
        return RecommendResponse(scene="benchmark", request_id=call.request_id)


def handler(tracing: Tracing | None) -> CallHandler:
    """The router's call handler, with traces or without."""
    metrics = ProcessMetrics()
    stages: StageMetrics = PrometheusStageMetrics(metrics)
    service = PipelineService(TracedStages(stages) if tracing is not None else stages)
    log = RequestLog(UserIds("benchmark"), log_answers=False)
    admission = build_overload_control(AdmissionSettings()).admission
    return CallHandler(
        {"Recommend": BoundMethod(method_table()["Recommend"], service.recommend)},
        CallAccounting(admission),
        log,
        metrics,
        scenes=lambda: service.scenes,
        serving_state=lambda: ServingState(True),
        tracing=tracing,
    )


@contextmanager
def collector() -> Iterator[str]:
    """host:port of a collector in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.otlp_sink"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.communicate(timeout=30)


def sampled(endpoint: str, ratio: float) -> Tracing:
    """Traces of this share of the requests."""
    os.environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(ratio),
    }
    tracing = tracing_from_environment(os.environ)
    assert tracing is not None
    return tracing


async def measure(rounds: int, calls: int, seed: int) -> dict[str, dict[str, float]]:
    """By way: microseconds of a call, and its ratio to one without traces (medians over the rounds)."""
    with collector() as endpoint:
        traces = {f"sampled {ratio:g}": sampled(endpoint, ratio) for ratio in RATIOS}
        ways: dict[str, Tracing | None] = {"off": None, "off again": None, **traces}
        handlers = {name: handler(tracing) for name, tracing in ways.items()}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        order = np.random.default_rng(seed)
        for number in range(-2, rounds):
            for name in order.permutation(list(ways)).tolist():
                spent = await time_calls(handlers[name], ways[name], calls)
                if number >= 0:
                    seconds[name].append(spent / calls)
        for tracing in traces.values():
            await asyncio.to_thread(tracing.close)
    off = np.array(seconds["off"])
    return {
        name: {
            "microseconds": round(float(np.median(times)) * 1e6, 1),
            "ratio": round(float(np.median(np.array(times) / off)), 4),
        }
        for name, times in seconds.items()
    }


async def time_calls(calls: CallHandler, tracing: Tracing | None, count: int) -> float:
    """Processor seconds that `count` calls take, with what they leave to be done after their answers."""
    request = RecommendRequest(scene="benchmark", user_id="shopper")
    began = time.process_time()
    for _ in range(count):
        await calls.handle("Recommend", request, None, lambda: METADATA)
        await asyncio.sleep(0)
    if tracing is not None:
        await asyncio.to_thread(tracing.flush)
    return time.process_time() - began


def main() -> None:
    """Measures, prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/tracing.json"))
    options = parser.parse_args()
    table = asyncio.run(measure(options.rounds, options.calls, options.seed))
    print(f"{'traces':14}{'µs a call':>12}{'to off':>9}")
    for way, row in table.items():
        print(f"{way:14}{row['microseconds']:12}{row['ratio']:9}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(table, indent=2).encode())


if __name__ == "__main__":
    main()
