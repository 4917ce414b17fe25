"""`shopfront run` as a newcomer meets it, on a made-up shop: builds, serves, answers, stops, starts again."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import grpc
import psutil
import pytest

from benchmarks.steady_load import LoadPlan, Sent, steady_load
from protos.shopfront.v1 import event_pb2, event_pb2_grpc, recommend_pb2, recommend_pb2_grpc
from shopfront.workspace import PROJECT
from state.registry import open_state
from state.settings import StateSettings
from testing.file_modes import readable_by_others
from testing.served_command import served_command
from tests.shopfront.looks import looks_are_served
from tests.shopfront.run_shop import PICTURED, SETTINGS, Shop, left_behind, write_shop
from triton_repo.process_ends import wait_until_ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ONE_MODEL = """
models: {bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}}
export: {formats: [onnx]}
router: {recall: {mind: {enabled: false}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return write_shop(tmp_path_factory.mktemp("run"))


def test_run_answers_learns_and_stops(shop: Shop) -> None:
    with served_command(shop.command("run")) as (process, output, address):
        assert "Recommended to shopper" in output
        assert f"{PICTURED - 5} pictures of {PICTURED - 5} items" in output
        assert re.search(r"of \d+ photos held out, \d+% find their item first", output)
        assert "Searched for by the picture of" in output
        console = re.search(r"Console on (http://127\.0\.0\.1:\d+/)", output)
        assert console, output
        assert "bst" in urllib.request.urlopen(console[1], timeout=20).read().decode()
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 3
        with grpc.insecure_channel(address) as channel:
            recommend = recommend_pb2_grpc.RecommendServiceStub(channel)
            page = recommend.Recommend(
                recommend_pb2.RecommendRequest(scene="home", page_size=20, with_trace=True), timeout=20
            )
            assert len(page.items) == 20, "an unknown shopper gets a full page"
            event_pb2_grpc.EventServiceStub(channel).ReportEvents(
                event_pb2.ReportEventsRequest(
                    events=[
                        event_pb2.Event(
                            user_id="newcomer", item_id=page.items[0].item_id, type=event_pb2.EVENT_TYPE_VIEW
                        )
                    ]
                ),
                timeout=20,
            )
            after = recommend.Recommend(
                recommend_pb2.RecommendRequest(scene="home", user_id="newcomer", timeout_ms=5000), timeout=20
            )
            triggers = {reason.trigger_item_id for item in after.items for reason in item.reasons}
            assert page.items[0].item_id in triggers, "the next request knows what was reported"
            looks_are_served(shop, channel)

        first = after.snapshot_id
        rebuild(shop)
        assert wait_for_snapshot(address, other_than=first) != first
    assert process.returncode == 0
    assert not wait_until_ended(family, 10.0)
    assert not left_behind(shop.workspace)
    public = {path.parts[0] for path in readable_by_others(shop.workspace)}
    assert public == {"triton"}, "only models may be read by other users"


def kill_raylet(of: psutil.Process) -> None:
    """Kills the raylet among the descendants of a process."""
    (raylet,) = [child for child in of.children(recursive=True) if child.name() == "raylet"]
    raylet.kill()


def test_a_second_run_replaces_a_lost_router_and_a_sigterm_under_load_fails_no_accepted_call(
    shop: Shop,
) -> None:
    with served_command(shop.command("run")) as (process, output, address):
        assert output.count("as built before") >= 6, output
        assert process.stdout is not None
        supervisor = psutil.Process(process.pid)
        metrics = re.search(r"http://127.0.0.1:\d+/metrics", output)
        assert metrics
        plan = LoadPlan(
            address,
            "home",
            [f"u{number:04}" for number in range(50)],
            [f"i{number:04}" for number in range(50)],
            recommend_per_s=10.0,
            events_per_s=10.0,
            patience_s=20.0,
        )
        with steady_load(plan) as load:
            assert load.wait_until(all_answered, 1.0, 60.0)
            kill_raylet(supervisor)
            for line in process.stdout:
                output += line
                if "answers again" in line:
                    break
            assert "raylet" in output
            assert f"answers again at {address}" in output
            assert load.wait_until(all_answered, 1.0, 60.0)
            counted = urllib.request.urlopen(metrics.group(0)).read().decode()
            assert 'shopfront_restarts_total{outcome="restarted",part="router"} 1.0' in counted
            assert 'shopfront_part_lost{part="router"} 0.0' in counted
            family = supervisor.children(recursive=True)
            process.send_signal(signal.SIGTERM)
            output += process.communicate(timeout=90)[0]
        assert process.returncode == 0, output
    assert not wait_until_ended(family, 10.0)
    assert not left_behind(shop.workspace)
    # What is not accepted any more may be sent elsewhere.
    assert {call.first for call in load.sent} <= {"OK", "UNAVAILABLE"}
    store = open_state(StateSettings(url=f"lmdb://{shop.workspace / 'state'}"))
    try:
        logged = Counter(event.session_id for _, event in store.read_log())
    finally:
        store.close()
    acknowledged = [id for call in load.sent if call.kind == "events" and call.ok for id in call.events]
    assert len(acknowledged) > 20
    assert {id: logged[id] for id in acknowledged if logged[id] != 1} == {}


def all_answered(calls: Sequence[Sent]) -> bool:
    return all(call.ok for call in calls)


def test_serve_ends_where_ray_is_lost_for_others_to_start_it_anew(shop: Shop) -> None:
    with served_command(shop.command("serve")) as (process, _, _):
        supervisor = psutil.Process(process.pid)
        family = supervisor.children(recursive=True)
        kill_raylet(supervisor)
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 1
        assert "raylet" in output
        assert "Traceback" not in output
    assert not wait_until_ended(family, 10.0)
    assert not left_behind(shop.workspace)


def interrupted(shop: Shop, how: signal.Signals, at: str) -> None:
    """Ends a `shopfront run` two seconds after it printed `at`, which is before it serves."""
    process = subprocess.Popen(
        shop.command("run"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if at in line:
            break
    time.sleep(2)
    # A terminal sends Ctrl-C to everything it runs; a service manager ends the one process it knows.
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert not left_behind(shop.workspace)


def test_a_run_ended_while_it_builds_leaves_nothing_running_and_can_be_repeated(
    shop: Shop, tmp_path: Path
) -> None:
    config = tmp_path / "config" / "shopfront.yaml"
    config.parent.mkdir()
    config.write_text("models: {bst: {training: {max_steps: 100000, patience: 100000}}}")
    (config.parent / "scenes.yaml").write_text("scenes: {home: {channels: {hot: {}}}}")
    endless = Shop(shop.data, tmp_path / "workspace", config)
    interrupted(endless, signal.SIGINT, at="ingest")
    interrupted(endless, signal.SIGTERM, at="as built before")
    interrupted(endless, signal.SIGKILL, at="as built before")
    config.write_text(ONE_MODEL)
    done = subprocess.run(endless.command("build"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"dataset\s+as built before", done.stdout), "what was finished is not done again"


def rebuild(shop: Shop) -> None:
    """Build a new snapshot with a new version of `bst` beside the one being served."""
    shop.config.write_text(
        SETTINGS.replace("bst: {training: {max_steps: 30", "bst: {training: {max_steps: 31")
    )
    subprocess.run(shop.command("build"), check=True, capture_output=True, text=True)


def wait_for_snapshot(address: str, other_than: str) -> str:
    """The id of the snapshot that takes over; fails after a minute."""
    deadline = time.monotonic() + 60
    seen = other_than
    with grpc.insecure_channel(address) as channel:
        stub = recommend_pb2_grpc.RecommendServiceStub(channel)
        while seen == other_than and time.monotonic() < deadline:
            seen = stub.Recommend(recommend_pb2.RecommendRequest(scene="home"), timeout=20).snapshot_id
            time.sleep(0.2)
    return seen


def test_a_mistake_ends_in_one_line(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user_id,item_id\n1,2\n")
    wrong = Shop(tmp_path, tmp_path / "workspace", shop.config)
    done = subprocess.run(wrong.command("run"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert "events.csv" in done.stderr


def test_evaluate_prints_and_writes_its_table(shop: Shop) -> None:
    done = subprocess.run(shop.command("evaluate"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = PROJECT / "build" / "evaluation" / f"{shop.workspace.name}.json"
    report = json.loads(path.read_text())
    path.unlink()
    assert set(report["ranking"]) == {"popularity", "item_cf", "bst"}
