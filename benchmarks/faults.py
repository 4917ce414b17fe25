"""What each fault costs callers, under steady load: `python -m benchmarks.faults`.

The whole service is started twice over copies of a workspace: behind HAProxy with state in LMDB, and behind
its own gRPC servers with state in Redis. Recommendations and events are sent at a third of what the machine
answers, whatever comes back; one fault after the other is injected, each once answers have been whole for two
seconds. Reported: calls that failed before and after one retry on UNAVAILABLE, short and degraded answers,
acknowledged events that the log lost or has twice, seconds until answers came at the first try and are whole
again, processes left behind. The table is written as JSON to build/benchmarks/faults.json.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import psutil
from rich.console import Console

from benchmarks.fault_injections import ON_LMDB, ON_REDIS, Fault
from benchmarks.fault_report import NOT_DONE, Outcome, Window, as_json, degraded_share, outcome, table
from benchmarks.running_workspace import RunningWorkspace, StateKind, left_behind, running_workspace
from benchmarks.steady_load import Sent
from server.ingress_settings import IngressKind
from shopfront.workspace import PROJECT, Workspace
from snapshot.durable_files import write_durably
from state.registry import open_state
from state.settings import StateSettings

RESULT = PROJECT / "build" / "benchmarks" / "faults.json"
RUNS: dict[tuple[IngressKind, StateKind], Sequence[Fault]] = {
    ("haproxy", "lmdb"): ON_LMDB,
    ("grpc", "redis"): ON_REDIS,
}
_WHOLE_S = 2.0
_FIRST_LOOK_S = 1.0


def main() -> None:
    """Inject every fault, print the table and write it as JSON; status 1 where a goal is missed."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 200)
    if arguments.list:
        for (ingress, state), faults in RUNS.items():
            for fault in faults:
                console.print(f"{ingress:8} {state:6} {fault.name}", highlight=False)
        return
    outcomes: list[Outcome] = []
    report: dict[str, object] = {"cores": os.cpu_count(), "services": []}
    began = time.monotonic()
    for (ingress, state), faults in RUNS.items():
        if arguments.ingress not in ("both", ingress):
            continue
        chosen = [fault for fault in faults if _is_chosen(fault, arguments.only)]
        if len(chosen) < 2:
            # Nothing but what is usual without a fault.
            continue
        found, facts = measure(ingress, state, chosen, arguments, console)
        outcomes += found
        report["services"] = [*report["services"], facts]  # type: ignore[misc]
    if not outcomes:
        sys.exit(f"no fault has any of the words {arguments.only}; --list names them")
    console.print(table(outcomes))
    report |= {"elapsed_s": time.monotonic() - began, "faults": as_json(outcomes)}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_durably(RESULT, json.dumps(report, indent=1).encode())
    console.print(f"{time.monotonic() - began:.0f} s; written to {RESULT}", highlight=False)
    missed = [each for each in outcomes if each.misses]
    for each in missed:
        words = "; ".join(each.misses)
        console.print(
            f"[red]goal missed[/] {each.fault} ({each.ingress}, {each.state}): {words}", highlight=False
        )
        for said, count in each.said.items():
            console.print(f"  {count} x {said}", highlight=False, markup=False)
    sys.exit(1 if missed else 0)


def measure(
    ingress: IngressKind,
    state: StateKind,
    faults: Sequence[Fault],
    arguments: argparse.Namespace,
    console: Console,
) -> tuple[list[Outcome], dict[str, object]]:
    """The outcome of every fault on one running service, and facts about it."""
    processes: dict[int, psutil.Process] = {}
    windows: list[Window] = []
    with running_workspace(
        Workspace(arguments.workspace.absolute()),
        ingress,
        state,
        rate=arguments.rate,
        slack=arguments.slack,
        report=lambda line: console.print(f"  [dim]{line}[/]", highlight=False),
    ) as running:
        console.print(
            f"{ingress}, {state}: {running.capacity_per_s:.0f} answers/s with 8 callers; sending "
            f"{running.plan.recommend_per_s:.1f} recommendations/s and {running.plan.events_per_s:.1f} "
            "event calls/s",
            highlight=False,
        )
        running.load.wait_until(_is_whole(0.0), _WHOLE_S, 20.0)
        for fault in faults:
            processes |= {process.pid: process for process in running.processes()}
            windows.append(_inject(running, fault, windows, console))
        processes |= {process.pid: process for process in running.processes()}
        time.sleep(1.0)
        end = windows[-1].end
        logged = _logged(running.settings.router.state)
        facts: dict[str, object] = {
            "ingress": ingress,
            "state": state,
            "capacity_per_s": running.capacity_per_s,
            "recommend_per_s": running.plan.recommend_per_s,
            "event_calls_per_s": running.plan.events_per_s,
            "slack": arguments.slack,
        }
        sent = [call for call in running.load.sent if call.due < end]
        page_size = running.plan.page_size
    left = left_behind(list(processes.values()))
    console.print(f"processes left behind: {left or 'none'}", highlight=False)
    facts["processes_left_behind"] = left
    usual = degraded_share(call for call in sent if windows[0].begin <= call.due < windows[0].end)
    return [outcome(window, sent, logged, page_size, usual) for window in windows], facts


def _inject(running: RunningWorkspace, fault: Fault, before: Sequence[Window], console: Console) -> Window:
    usual = 0.0
    if before:
        first = before[0]
        usual = degraded_share(call for call in running.load.sent if first.begin <= call.due < first.end)
    begin = time.monotonic()
    try:
        seen = fault.inject(running)
    except (RuntimeError, grpc.RpcError) as error:
        # A missed goal; the faults after it are still worth knowing.
        seen = {NOT_DONE: str(error)}
    time.sleep(max(0.0, begin + _FIRST_LOOK_S - time.monotonic()))
    calm = running.load.wait_until(_is_whole(usual), _WHOLE_S, fault.limit_s)
    end = time.monotonic()
    console.print(f"  {fault.name}: {end - begin:.1f} s {seen or ''}", highlight=False)
    return Window(fault.name, running.ingress, running.state, begin, end, calm, seen, fault.spares_somebody)


def _is_whole(usual_share: float) -> Callable[[Sequence[Sent]], bool]:
    tolerated = max(0.1, 2 * usual_share)

    def is_whole(calls: Sequence[Sent]) -> bool:
        return all(call.first == "OK" for call in calls) and degraded_share(calls) <= tolerated

    return is_whole


def _logged(settings: StateSettings) -> Counter[str]:
    """How often the event log has each event of the load."""
    store = open_state(settings)
    try:
        return Counter(
            event.session_id for _, event in store.read_log() if event.session_id.startswith("steady-")
        )
    finally:
        store.close()


def _is_chosen(fault: Fault, only: Sequence[str]) -> bool:
    return not only or fault.name == "none" or any(words in fault.name for words in only)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--ingress", choices=("haproxy", "grpc", "both"), default="both")
    parser.add_argument("--only", nargs="+", default=[], help="words of the faults wanted; see --list")
    parser.add_argument("--list", action="store_true", help="name the faults and inject none")
    parser.add_argument("--rate", type=float, help="recommendations per second; default: a third of capacity")
    parser.add_argument("--slack", type=float, default=1.0, help="times every deadline is lengthened")
    return parser.parse_args()


if __name__ == "__main__":
    main()
