"""The limit that the service is measured against: its own path and graphs in one process, and nothing else.

The whole service (state, recall, filters, ranking, rerank, response) behind one grpc.aio server, with ONNX
Runtime inside: no Triton, no Ray, no HAProxy. What the service costs beside it is what these cost.

`python -m benchmarks.one_process_peer <plan.json>` prints the address it serves and stops when its input
closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnxruntime
import uvloop
from numpy.typing import NDArray

from router.ranking.circuit_breaker import CircuitBreaker
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient
from server.composition import ranking
from server.ingress.calls import call_handler
from server.ingress.own_grpc import serve_in_process
from server.settings import RouterSettings
from server.startup import start_service


@dataclass(frozen=True)
class OneProcessPlan:
    """What it serves: the service's settings, and where the models are that Triton serves."""

    settings: dict[str, Any]
    """`RouterSettings` as JSON values."""
    models: str
    """Triton's folder of models."""


class OnnxInside(TritonClient):
    """Runs the graphs of Triton's repository in this process, one thread for each."""

    models: Path

    def __init__(
        self, settings: TritonClientSettings, breaker: CircuitBreaker | None = None, *args: Any, **named: Any
    ) -> None:
        """Opens no graph yet."""
        super().__init__(settings, breaker, *args, **named)
        self._sessions: dict[tuple[str, str], onnxruntime.InferenceSession] = {}

    async def infer(
        self,
        model: str,
        version: str,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
        timeout_s: float,
        *,
        in_process: bool = True,
    ) -> dict[str, NDArray[Any]]:
        """As over gRPC, without waiting."""
        session = self._sessions.get((model, version))
        if session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            session = onnxruntime.InferenceSession(
                self.models / model / version / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
            self._sessions[model, version] = session
        return dict(zip(outputs, session.run(list(outputs), dict(inputs)), strict=True))


async def serve(plan: OneProcessPlan) -> None:
    """Serve until standard input closes."""
    OnnxInside.models = Path(plan.models)
    with patch.object(ranking, "TritonClient", OnnxInside):
        running = await start_service(RouterSettings.model_validate(plan.settings))
    server = await serve_in_process(call_handler(running))
    print(server.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(1.0)
    await running.stop()


if __name__ == "__main__":
    uvloop.run(serve(OneProcessPlan(**json.loads(Path(sys.argv[1]).read_text()))))
