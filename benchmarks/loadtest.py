"""How many simple calls per second the load generator sends from one core, beside two peers in the same run.

`python -m benchmarks.loadtest [--calls N] [--rounds R]` starts an echo server in a process of its own and
drives it in turns with the load generator (one process), with h2load (nghttp2's, in C, where it is installed)
and with a grpc.aio closed loop. The server is nghttpd's echo where that is installed, so that the
server is not what is measured; else a grpc.aio server, which then limits everyone. Ratios above 1 favour the
load generator. Calls per second of CPU time tell what a core would reach: the server and the machine's other
work are not in them. The JSON goes to build/benchmarks/loadtest.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc
from google.protobuf import descriptor_pb2

from loadtest.call import framed_message
from loadtest.descriptors import method_of
from loadtest.options import LoadOptions
from loadtest.run import run
from shopfront.workspace import PROJECT

METHOD = "/benchmark.Echo/Say"
TEXT = "x" * 20
CONCURRENCY = 50


def main() -> None:
    """Runs the rounds and prints a line per sender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="Calls per sender and round.")
    parser.add_argument("--rounds", type=int, default=3, help="Rounds; the median counts.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, echo_server(Path(folder)) as (server, address):
        senders = _senders(Path(folder), address)
        rates: dict[str, list[float]] = {name: [] for name in senders}
        per_core: dict[str, list[float]] = {name: [] for name in senders}
        for _ in range(arguments.rounds):
            for name, sender in senders.items():
                before = _cpu_seconds()
                rates[name].append(sender(arguments.calls))
                per_core[name].append(arguments.calls / max(1e-9, _cpu_seconds() - before))
    medians = {name: median(values) for name, values in rates.items()}
    own = medians["loadtest"]
    cores = {name: median(values) for name, values in per_core.items()}
    report = {
        "server": server,
        "calls": arguments.calls,
        "concurrency": CONCURRENCY,
        "per_second": rates,
        "per_cpu_second": per_core,
        "ratios": {name: own / rate for name, rate in medians.items() if name != "loadtest"},
        "ratios_per_cpu_second": {
            name: cores["loadtest"] / rate for name, rate in cores.items() if name != "loadtest"
        },
    }
    path = PROJECT / "build" / "benchmarks" / "loadtest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"echo server: {server}")
    for name, rate in medians.items():
        line = f"{name:10} {rate:9,.0f} calls/s, {cores[name]:9,.0f} per CPU second"
        if name != "loadtest":
            line += f"   ratio {own / rate:.2f}, per CPU second {cores['loadtest'] / cores[name]:.2f}"
        print(line)
    print(f"written to {path}")


def _cpu_seconds() -> float:
    """CPU time of this process and of the children that have ended."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _senders(folder: Path, address: str) -> dict[str, Callable[[int], float]]:
    protoset = folder / "echo.protoset"
    protoset.write_bytes(_description())
    senders: dict[str, Callable[[int], float]] = {
        "loadtest": lambda calls: _loadtest(calls, address, protoset),
        "grpc.aio": lambda calls: asyncio.run(_grpc_aio(calls, address)),
    }
    h2load = shutil.which("h2load")
    if h2load is None:
        print("h2load is not installed (Debian: nghttp2-client): no ratio to it", file=sys.stderr)
    else:
        body = folder / "body"
        body.write_bytes(framed_message(_message()))
        senders["h2load"] = lambda calls: _h2load(h2load, calls, address, body)
    return senders


def _loadtest(calls: int, address: str, protoset: Path) -> float:
    options = LoadOptions(
        host=address,
        insecure=True,
        protoset=str(protoset),
        call=METHOD,
        data={"text": TEXT},
        total=calls,
        concurrency=CONCURRENCY,
    )
    results = run(options)
    if results.status_counts[0] != calls:
        raise RuntimeError(f"calls failed: {dict(results.error_counts)}")
    return calls / ((results.finished_ns - results.began_ns) / 1e9)


async def _grpc_aio(calls: int, address: str) -> float:
    message = _message()
    remaining = iter(range(calls))
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(METHOD)

        async def caller() -> None:
            for _ in remaining:
                await call(message, timeout=20)

        await channel.channel_ready()
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
        return calls / (time.perf_counter() - began)


def _h2load(program: str, calls: int, address: str, body: Path) -> float:
    done = subprocess.run(
        [
            *(program, "-n", str(calls), "-c", "1", "-m", str(CONCURRENCY), "-d", str(body)),
            *("-H", "te: trailers", "-H", "content-type: application/grpc", f"http://{address}{METHOD}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)
    if found is None or f"{calls} succeeded" not in done.stdout:
        raise RuntimeError(f"h2load failed:\n{done.stdout}")
    return float(found[1])


def _message() -> bytes:
    return method_of(_description(), METHOD.strip("/")).request(text=TEXT).SerializeToString()


def _description() -> bytes:
    file = descriptor_pb2.FileDescriptorProto(name="echo.proto", package="benchmark", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    file.message_type.add(name="Said").field.add(
        name="text", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
    )
    file.service.add(name="Echo").method.add(
        name="Say", input_type=".benchmark.Said", output_type=".benchmark.Said"
    )
    serialised: bytes = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    return serialised


@contextmanager
def echo_server(folder: Path) -> Iterator[tuple[str, str]]:
    """A running echo server in a process of its own; yields what it is and its address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    nghttpd = shutil.which("nghttpd")
    if nghttpd is not None:
        command = [
            nghttpd,
            "--no-tls",
            "--echo-upload",
            "--trailer=grpc-status: 0",
            "-d",
            str(folder),
            str(port),
        ]
    else:
        command = [sys.executable, "-m", "benchmarks.loadtest", "serve", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield "nghttpd" if nghttpd is not None else "grpc.aio", f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _serve(port: int) -> None:
    async def echo(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return request

    server = grpc.aio.server()
    service, method = METHOD.strip("/").split("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(echo)}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        main()
