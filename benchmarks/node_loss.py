"""What the loss of a Ray node costs: `python -m benchmarks.node_loss`.

Three Ray nodes on this machine, of which one is killed, all of its processes at once: while the router serves
on them with state in Redis, and during every job of a build, while it computes a part. Reported for serving:
calls that failed before and after one retry on UNAVAILABLE, acknowledged events that the log lost or has
twice, seconds until as many replicas answer again. For each job: seconds without and with the loss, seconds
from the loss to the job's end, and whether what it made is equal to one machine's. Needs redis-server. The
tables are written as JSON to build/benchmarks/node_loss.json; status 1 where a goal is missed.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.lost_node_jobs import JOBS, JobLoss, job_losses
from benchmarks.steady_load import LoadPlan, Sent, steady_load
from server.ingress.ray_environment import serve_environment
from server.ingress_settings import IngressSettings
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably
from state.registry import open_state
from state.settings import StateSettings
from testing.ray_nodes import three_nodes
from testing.redis_server import running_redis
from testing.running_router import as_processes
from testing.served_shop import make_shop
from testing.triton_server import tiny_triton

RESULT = PROJECT / "build" / "benchmarks" / "node_loss.json"
REPLICAS = 3
_REPLICA = "ray::ServeReplica"
_PATIENCE_S = 90.0
_FROZEN_S = 1.0
_SAID_LENGTH = 80


@dataclass(frozen=True)
class ServingLoss:
    """A node lost while serving.

    replicas_before, replicas_after   replicas of each node, the head first
    calls                             calls sent
    failed_first                      first tries that failed
    failed                            calls that failed after one retry; those that must not be sent again,
                                      and those that were shed, are left out
    shed                              calls refused as RESOURCE_EXHAUSTED: more than the replicas that are
                                      left can answer while a new one starts
    failed_unretried                  events without an id that failed: a caller must not send them again
    acknowledged, lost, doubled       events acknowledged; of these, not in the log, and there more than once
    replaced_s                        seconds from the loss until as many replicas ran as before
    whole_s                           seconds from the loss to the end of the last call that needed a retry
    said                              status and first words of the calls that failed in the end, by how often
    """

    replicas_before: Sequence[int]
    replicas_after: Sequence[int]
    calls: int
    failed_first: int
    failed: int
    shed: int
    failed_unretried: int
    acknowledged: int
    lost: int
    doubled: int
    replaced_s: float
    whole_s: float
    said: dict[str, int]

    @property
    def as_it_should(self) -> bool:
        """No call failed after one retry, no event was lost or doubled, every replica was replaced."""
        return not (self.failed or self.lost or self.doubled) and sum(self.replicas_after) == REPLICAS


def serving_loss(folder: Path) -> ServingLoss:
    """Serves a small shop on three nodes under steady load, and kills one of them.

    Raises RuntimeError where the router does not answer before the loss.
    """
    shop = make_shop(folder)
    ingress = {
        "kind": "grpc",
        "address": "127.0.0.1:0",
        "replicas": REPLICAS,
        "health_check_period_s": 1.0,
        "start_timeout_s": 300.0,
    }
    environment = serve_environment(IngressSettings.model_validate(ingress))
    with (
        tiny_triton(folder) as triton,
        running_redis() as redis,
        three_nodes(environment) as nodes,
        as_processes(
            shop.settings(
                triton.grpc_url, state={"url": redis.url}, ingress=ingress, ray={"address": nodes.address}
            )
        ) as router,
    ):
        before = nodes.count(_REPLICA)
        plan = LoadPlan(
            router.address,
            "home",
            shop.dataset.users()["user_id"].to_list(),
            shop.dataset.catalogue.item_ids(shop.dataset.catalogue.popularity.argsort()[-20:]),
            # Few, since all nodes, Triton, Redis and the callers share this machine.
            recommend_per_s=5.0,
            events_per_s=15.0,
            patience_s=_PATIENCE_S,
        )
        with steady_load(plan) as load:
            if not load.wait_until(_all_at_first, 1.0, _PATIENCE_S):
                raise RuntimeError("the router does not answer every call")
            lost_at = time.monotonic()
            nodes.kill(_FROZEN_S)
            while sum(nodes.count(_REPLICA)) < REPLICAS and time.monotonic() - lost_at < _PATIENCE_S:
                time.sleep(0.1)
            replaced_s = time.monotonic() - lost_at
            load.wait_until(_all_at_first, 2.0, _PATIENCE_S)
        return _outcome(load.sent, _logged(redis.url), before, nodes.count(_REPLICA), lost_at, replaced_s)


def _all_at_first(calls: Sequence[Sent]) -> bool:
    return all(call.first == "OK" for call in calls)


def _logged(url: str) -> Counter[str]:
    store = open_state(StateSettings(url=url))
    try:
        return Counter(event.session_id for _, event in store.read_log())
    finally:
        store.close()


def _outcome(
    sent: Sequence[Sent],
    logged: Counter[str],
    before: Sequence[int],
    after: Sequence[int],
    lost_at: float,
    replaced_s: float,
) -> ServingLoss:
    acknowledged = [(id, call) for call in sent if call.kind == "events" and call.ok for id in call.events]
    shed = [call for call in sent if call.status == "RESOURCE_EXHAUSTED"]
    failed = [call for call in sent if not call.ok and call.status != "RESOURCE_EXHAUSTED"]
    return ServingLoss(
        before,
        after,
        calls=len(sent),
        failed_first=sum(call.first != "OK" for call in sent),
        failed=sum(call.with_ids or call.status != "UNAVAILABLE" for call in failed),
        shed=len(shed),
        failed_unretried=sum(not call.with_ids and call.status == "UNAVAILABLE" for call in failed),
        acknowledged=len(acknowledged),
        lost=sum(logged[id] == 0 for id, _ in acknowledged),
        doubled=sum(logged[id] > 1 for id, call in acknowledged if call.with_ids),
        replaced_s=replaced_s,
        whole_s=max((call.ended - lost_at for call in sent if call.first != "OK"), default=0.0),
        said=dict(
            Counter(
                f"{call.status}: {re.sub('[0-9]+', '0', call.detail)[:_SAID_LENGTH]}"
                for call in [*failed, *shed]
            )
        ),
    )


def main() -> None:
    """Lose nodes, print the tables and write them as JSON; status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", nargs="*", choices=list(JOBS), default=list(JOBS), help="jobs to disturb")
    parser.add_argument("--no-serving", action="store_true", help="leave serving out")
    parser.add_argument("--events", type=int, default=200_000, help="events of the jobs' log")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    report: dict[str, object] = {}
    good = True
    with tempfile.TemporaryDirectory(prefix="node-loss-") as folder:
        if arguments.jobs:
            losses = job_losses(Path(folder), arguments.jobs, arguments.events)
            console.print(_job_table(losses))
            report["jobs"] = [asdict(loss) for loss in losses]
            good = all(loss.equal for loss in losses)
        if not arguments.no_serving:
            serving = serving_loss(Path(folder) / "served")
            console.print(_serving_table(serving))
            report["serving"] = asdict(serving)
            good = good and serving.as_it_should
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_durably(RESULT, json.dumps(report, indent=1).encode())
    console.print(f"written to {RESULT}", highlight=False)
    sys.exit(0 if good else 1)


def _job_table(losses: Sequence[JobLoss]) -> Table:
    table = Table(title="a node lost during a job")
    for heading in (
        "job",
        "parts",
        "s undisturbed",
        "s with the loss",
        "s from the loss to its end",
        "equal",
    ):
        table.add_column(heading, justify="left" if heading == "job" else "right")
    for loss in losses:
        table.add_row(
            loss.job,
            str(loss.parts),
            f"{loss.undisturbed_s:.1f}",
            f"{loss.disturbed_s:.1f}",
            f"{loss.recovery_s:.1f}",
            "yes" if loss.equal else "NO",
        )
    return table


def _serving_table(loss: ServingLoss) -> Table:
    table = Table(title="a node lost while serving", show_header=False)
    for name, value in asdict(loss).items():
        table.add_row(name.replace("_", " "), f"{value:.1f}" if isinstance(value, float) else str(value))
    return table


if __name__ == "__main__":
    main()
