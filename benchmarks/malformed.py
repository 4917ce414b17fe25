"""10,000 malformed and random requests on every method of a running router: `python -m benchmarks.malformed`.

Counts the statuses of each method, and what the router's processes hold before and after: memory, files,
threads. No status may be INTERNAL or UNKNOWN. Written as JSON to build/benchmarks/malformed.json.
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.random_requests import STREAMS, UNARY, random_request
from shopfront.serve import serving
from shopfront.settings import DEFAULT_FILE, Settings, load_settings
from shopfront.workspace import PROJECT, Workspace
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "malformed.json"
BUGS = ("INTERNAL", "UNKNOWN", "DATA_LOSS")
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Held:
    """What processes hold together."""

    resident_mib: float
    files: int
    threads: int


def held(processes: list[psutil.Process]) -> Held:
    """What the processes hold at this moment."""
    return Held(
        sum(process.memory_info().rss for process in processes) / 2**20,
        sum(process.num_fds() for process in processes),
        sum(process.num_threads() for process in processes),
    )


async def send_random(address: str, per_method: int, seed: int, at_once: int = 8) -> dict[str, Counter[str]]:
    """Sends `per_method` random requests to each method; returns the statuses by method."""
    chance = random.Random(seed)
    paths = [path for path in (*UNARY, *STREAMS) for _ in range(per_method)]
    chance.shuffle(paths)
    statuses: dict[str, Counter[str]] = {path: Counter() for path in (*UNARY, *STREAMS)}
    remaining = iter(paths)

    async def caller(channel: grpc.aio.Channel) -> None:
        for path in remaining:
            statuses[path][await _status(channel, path, chance)] += 1

    # Some servers end a connection whose bytes they cannot read; each caller has its own.
    channels = [
        grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(at_once)
    ]
    try:
        await asyncio.gather(*(caller(channel) for channel in channels))
    finally:
        for channel in channels:
            await channel.close()
    return statuses


async def _status(channel: grpc.aio.Channel, path: str, chance: random.Random) -> str:
    try:
        if path in UNARY:
            await channel.unary_unary(path)(random_request(UNARY[path], chance), timeout=_TIMEOUT_S)
        else:
            call = channel.stream_stream(path)(timeout=_TIMEOUT_S)
            await call.write(random_request(STREAMS[path], chance))
            await call.done_writing()
            await call.read()
            call.cancel()
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def main() -> None:
    """Serve a workspace with user state of its own, send, print the table and write the figures."""
    arguments = _arguments()
    console = Console()
    workspace = Workspace(arguments.workspace.absolute())
    with tempfile.TemporaryDirectory(prefix="malformed-") as scratch:
        settings = apart(load_settings(DEFAULT_FILE, workspace), Path(scratch), arguments.ingress)
        with serving(workspace, settings, console.print) as served:
            asyncio.run(send_random(served.address, max(20, arguments.requests // 20), seed=1))
            before = held(served.router.processes())
            pids = set(served.router.replica_pids())
            statuses = asyncio.run(send_random(served.address, arguments.requests, seed=2))
            after = held(served.router.processes())
            survived = set(served.router.replica_pids()) == pids
    report = {
        "ingress": arguments.ingress,
        "requests_per_method": arguments.requests,
        "statuses": {path: dict(counted) for path, counted in statuses.items()},
        "bugs": sum(counted[code] for counted in statuses.values() for code in BUGS),
        "before": asdict(before),
        "after": asdict(after),
        "replicas_survived": survived,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    path = RESULT.with_stem(f"malformed_{arguments.ingress}")
    write_durably(path, json.dumps(report, indent=1).encode())
    _show(console, statuses)
    console.print(f"before {before}\nafter  {after}\nreplicas survived: {survived}; written to {path}")


def apart(settings: Settings, scratch: Path, ingress: str) -> Settings:
    """The settings, with records of its own so that nonsense reaches nobody's state."""
    plain = settings.model_dump(mode="json")
    plain["router"]["ingress"] |= {"kind": ingress, "address": "127.0.0.1:0"}
    plain["router"]["state"]["url"] = f"lmdb://{scratch / 'state'}"
    plain["router"]["rollout"]["url"] = f"lmdb://{scratch / 'rollouts'}"
    plain["router"]["metrics"] |= {"port": 0, "folder": str(scratch / "metrics")}
    plain["router"]["request_log"]["folder"] = str(scratch / "logs")
    return Settings.model_validate(plain)


def _show(console: Console, statuses: dict[str, Counter[str]]) -> None:
    table = Table(title="Statuses of random requests")
    codes = sorted({code for counted in statuses.values() for code in counted})
    for name in ("method", *codes):
        table.add_column(name)
    for path, counted in statuses.items():
        table.add_row(path.rsplit("/", 1)[1], *(str(counted[code]) for code in codes))
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--ingress", choices=("haproxy", "grpc"), default="grpc")
    parser.add_argument("--requests", type=int, default=10_000, help="requests per method")
    return parser.parse_args()


if __name__ == "__main__":
    main()
