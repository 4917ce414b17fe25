"""10,000 malformed and random requests on every method of a running router: `python -m benchmarks.malformed`.

Counts the statuses of each method, sends what no gRPC client would (`wire_garbage`), notes what the router
holds along the way, after a warm-up. Ends with status 1 where a status is INTERNAL or UNKNOWN, a process died
or goes on growing, or a method that the router exposes was not asked. Written as JSON to
build/benchmarks/malformed_<ingress>.json.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from rich.console import Console
from rich.table import Table

from benchmarks.memory_growth import Course, held
from benchmarks.random_requests import STREAMS, random_message, random_request, unary_methods
from benchmarks.wire_garbage import faults, send_garbage
from shopfront.serve import serving
from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, PROJECT, Workspace
from snapshot.durable_files import write_durably

__all__ = ["BUGS", "apart", "exposed_methods", "held", "send_random"]

RESULT = PROJECT / "build" / "benchmarks" / "malformed.json"
BUGS = ("INTERNAL", "UNKNOWN", "DATA_LOSS")
_TIMEOUT_S = 20.0
_TOO_LARGE = bytes(9 * 2**20)
_BLOCKS = 20
_SETTLE_S = 2.0
# Of the others, Ray's helpers may come and go.
_JUDGED = {"replicas", "haproxy"}
_OF_THE_CLIENT = "Internal error from Core"
_METADATA: tuple[tuple[tuple[str, str | bytes], ...], ...] = (
    (),
    (("x-odd-bin", b"\xff\x00\xfe"),),
    (("authorization", "Bearer " + "x" * 2_000),),
    (("traceparent", "00-not-a-trace-01"), ("tracestate", "=,="), ("baggage", "%%%")),
    (("x-shopfront-call-id", "~" * 4_000),),
    (("multiplexed_model_id", "elsewhere"), ("request_id", "r" * 500)),
)


async def send_random(address: str, per_method: int, seed: int, at_once: int = 8) -> dict[str, Counter[str]]:
    """Sends `per_method` random requests to each method; returns the statuses by method."""
    chance = random.Random(seed)
    unary = unary_methods()
    paths = [path for path in (*unary, *STREAMS) for _ in range(per_method)]
    chance.shuffle(paths)
    statuses: dict[str, Counter[str]] = {path: Counter() for path in (*unary, *STREAMS)}
    remaining = iter(paths)

    async def caller(channel: grpc.aio.Channel) -> None:
        for path in remaining:
            statuses[path][await _status(channel, path, unary.get(path), chance)] += 1

    # Some servers end a connection whose bytes they cannot read; each caller has its own.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(at_once)]
    try:
        await asyncio.gather(*(caller(channel) for channel in channels))
    finally:
        for channel in channels:
            await channel.close()
    return statuses


async def _status(
    channel: grpc.aio.Channel, path: str, unary: type[Message] | None, chance: random.Random
) -> str:
    message = STREAMS[path] if unary is None else unary
    data = _TOO_LARGE if chance.random() < 0.001 else random_request(message, chance)
    how: dict[str, Any] = {
        "timeout": chance.choices((_TIMEOUT_S, 0.0, -1.0, 0.001), (94, 2, 2, 2))[0],
        "metadata": chance.choice(_METADATA),
        "compression": chance.choice((grpc.Compression.NoCompression, grpc.Compression.Gzip)),
    }
    try:
        if unary is not None:
            await channel.unary_unary(path)(data, **how)
            return "OK"
        call = channel.stream_stream(path)(iter([data]), **how)
        try:
            if await call.read() is not grpc.aio.EOF:
                return "OK"
            return _said(await call.code(), await call.details())
        except asyncio.CancelledError:
            # A stream that the server or the deadline ended as CANCELLED looks like one of this client.
            if not call.done():
                raise
            return _said(await call.code(), await call.details())
        finally:
            call.cancel()
    except grpc.aio.AioRpcError as error:
        return _said(error.code(), error.details())


def _said(code: grpc.StatusCode, details: str | None) -> str:
    # What grpc.aio makes up where a call ends under its hands, as of a deadline that has passed.
    return "ENDED_AT_THE_CLIENT" if details == _OF_THE_CLIENT else code.name


def exposed_methods(address: str) -> set[str]:
    """/package.Service/Method of everything the router names by reflection."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        return {
            f"/{service}/{method.name}"
            for service in database.get_services()
            for method in pool.FindServiceByName(service).methods
        }


def main() -> int:
    """Serve a workspace with user state of its own, send, print the tables and write the figures."""
    arguments = _arguments()
    console = Console(width=160)
    workspace = Workspace(arguments.workspace.absolute())
    with tempfile.TemporaryDirectory(prefix="malformed-") as scratch:
        settings = apart(load_settings(DEFAULT_FILE, workspace), Path(scratch), arguments.ingress)
        with serving(workspace, settings, console.print) as served:
            report = asyncio.run(_tried(served, arguments.requests, console))
    report = {"ingress": arguments.ingress, "requests_per_method": arguments.requests} | report
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    path = RESULT.with_stem(f"malformed_{arguments.ingress}")
    write_durably(path, json.dumps(report, indent=1).encode())
    _show(console, "Statuses of random requests", report["statuses"])
    _show(console, "What garbage on the wire was answered", report["wire"])
    console.print(report["growth"])
    for failure in report["failures"]:
        console.print(f"[red]{failure}[/red]")
    console.print(f"{'failed' if report['failures'] else 'passed'}; written to {path}")
    return 1 if report["failures"] else 0


async def _tried(served: Any, per_method: int, console: Console) -> dict[str, Any]:
    address, router = served.address, served.router
    began = time.monotonic()
    unary = unary_methods()
    missed = sorted(await asyncio.to_thread(exposed_methods, address) - {*unary, *STREAMS})
    chance = random.Random(3)
    good = {path: random_message(message, chance).SerializeToString() for path, message in unary.items()}
    per_block = max(1, per_method // _BLOCKS)
    # Caches fill, allocators find their size and processes their threads: as long as a quarter of the run.
    for block in range(_BLOCKS // 4):
        await send_random(address, per_block, seed=1_000 + block)
    await send_garbage(address, good, rounds=2, seed=1)
    pids = set(router.replica_pids())
    course, statuses = Course(), _nothing()
    by_case: dict[str, Counter[str]] = {}
    course.note(0, router.processes())
    for block in range(_BLOCKS):
        sent = await send_random(address, per_block, seed=2_000 + block)
        for path, counted in sent.items():
            statuses[path].update(counted)
        for name, counted in (await send_garbage(address, good, max(1, per_block // 50), block)).items():
            by_case.setdefault(name, Counter()).update(counted)
        # What ended with the last call is let go a moment later.
        await asyncio.sleep(_SETTLE_S)
        total = sum(counted.total() for counted in (*statuses.values(), *by_case.values()))
        course.note(total, router.processes())
        console.print(f"{time.monotonic() - began:.0f} s: {total} requests")
    growth = course.verdict()
    bugs = {path: {code: n for code in BUGS if (n := counted[code])} for path, counted in statuses.items()}
    failures = [f"{path}: {found}" for path, found in bugs.items() if found]
    failures += [f"on the wire, {name}: {found}" for name, found in faults(by_case, BUGS).items()]
    failures += [f"not asked: {path}" for path in missed]
    failures += [f"{kind}: memory, files or threads grow" for kind, found in growth.items() if found["grows"]]
    unjudged = [kind for kind in _JUDGED & {*growth} if growth[kind]["grows"] is None]
    failures += [f"{kind}: {growth[kind]['why']}" for kind in unjudged]
    if set(router.replica_pids()) != pids:
        failures.append("a replica died")
    return {
        "statuses": {path: dict(counted) for path, counted in statuses.items()},
        "wire": {name: dict(counted) for name, counted in by_case.items()},
        "seconds": round(time.monotonic() - began, 1),
        "course": course.written(),
        "growth": growth,
        "failures": failures,
    }


def _nothing() -> dict[str, Counter[str]]:
    return {path: Counter() for path in (*unary_methods(), *STREAMS)}


def apart(settings: Settings, scratch: Path, ingress: str) -> Settings:
    """The settings, with records of its own so that nonsense reaches nobody's state."""
    plain = settings.model_dump(mode="json")
    plain["router"]["ingress"] |= {"kind": ingress, "address": "127.0.0.1:0"}
    plain["router"]["state"]["url"] = f"lmdb://{scratch / 'state'}"
    plain["router"]["rollout"]["url"] = f"lmdb://{scratch / 'rollouts'}"
    plain["router"]["metrics"] |= {"port": 0, "folder": str(scratch / "metrics")}
    plain["router"]["request_log"]["folder"] = str(scratch / "logs")
    return Settings.model_validate(plain)


def _show(console: Console, title: str, outcomes: dict[str, dict[str, int]]) -> None:
    table = Table(title=title)
    codes = sorted({code for counted in outcomes.values() for code in counted})
    for name in ("", *codes):
        table.add_column(name)
    for path, counted in outcomes.items():
        table.add_row(path.rsplit("/", 1)[-1], *(str(counted.get(code, 0)) for code in codes))
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--ingress", choices=("haproxy", "grpc"), default="grpc")
    parser.add_argument("--requests", type=int, default=10_000, help="requests per method")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
