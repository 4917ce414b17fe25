"""Starting and stopping the router as processes: why it does not start, and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.ingress import launcher
from server.ingress.launcher import RouterStartError, start_router
from server.ingress.ports import free_ports
from server.ingress.ray_environment import serve_environment
from server.ingress_settings import IngressSettings
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
ONE_BEHIND_HAPROXY = {"kind": "haproxy", "address": "127.0.0.1:0", "replicas": 1}


@pytest.fixture(scope="module")
def quiet_shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop nobody serves yet."""
    return make_shop(tmp_path_factory.mktemp("quiet"))


def test_a_taken_address_is_named(quiet_shop: ServedShop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(RouterStartError, match=f"{address} cannot be taken"):
            start_router(quiet_shop.settings(NO_TRITON, ingress={"address": address}))


@pytest.mark.slow
def test_a_missing_snapshot_is_named_at_once(quiet_shop: ServedShop, tmp_path: Path) -> None:
    settings = quiet_shop.settings(
        NO_TRITON, ingress={"address": "127.0.0.1:0"}, snapshots={"folder": str(tmp_path / "empty")}
    )
    with pytest.raises(RouterStartError, match="nothing is published"):
        start_router(settings)


@pytest.mark.slow
def test_a_wrong_scene_file_is_named_at_once(quiet_shop: ServedShop, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes.yaml"
    scenes.write_text("scenes:\n  home:\n    channels:\n      hott: {}\n")
    settings = quiet_shop.settings(NO_TRITON, ingress={"address": "127.0.0.1:0"})
    with pytest.raises(RouterStartError, match="hott"):
        start_router(settings.model_copy(update={"scenes": scenes}))


@pytest.mark.slow
@pytest.mark.parametrize("key", ["state", "rollout"])
def test_a_store_that_cannot_be_opened_is_named_before_ray_starts(
    quiet_shop: ServedShop, tmp_path: Path, key: str
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "data.mdb").write_bytes(b"no database" * 1_000)
    settings = quiet_shop.settings(
        NO_TRITON,
        ingress={"address": "127.0.0.1:0"},
        request_log={"folder": str(tmp_path)},
        **{key: {"url": f"lmdb://{tmp_path / 'store'}"}},
    )
    with pytest.raises(RouterStartError, match=rf"{tmp_path / 'store'}.*its log is"):
        start_router(settings)
    assert "Ray is up" not in (tmp_path / "router.log").read_text()


@pytest.mark.slow
def test_a_read_only_disk_of_the_state_is_named_before_ray_starts(
    quiet_shop: ServedShop, tmp_path: Path, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    settings = quiet_shop.settings(
        NO_TRITON,
        ingress={"address": "127.0.0.1:0"},
        request_log={"folder": str(tmp_path)},
        state={"url": f"lmdb://{small_disk}"},
    )
    with pytest.raises(RouterStartError, match=r"Read-only file system.*router\.state\.url"):
        start_router(settings)
    assert "Ray is up" not in (tmp_path / "router.log").read_text()


def test_a_router_that_is_not_ready_in_time_says_which_key_gives_it_more(
    quiet_shop: ServedShop, tmp_path: Path
) -> None:
    settings = quiet_shop.settings(
        NO_TRITON,
        ingress={"address": "127.0.0.1:0", "start_timeout_s": 0.2},
        request_log={"folder": str(tmp_path)},
    )
    with pytest.raises(
        RouterStartError, match=r"not ready within 0\.2 s; .* raise router\.ingress\.start_timeout_s"
    ):
        start_router(settings)


def test_a_proxy_has_time_to_start_beside_other_work() -> None:
    # Serve's own 5 s end the start of a router on a machine that builds meanwhile.
    given = serve_environment(IngressSettings(start_timeout_s=200.0))
    assert float(given["RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S"]) == 50


STARTER = """
import json, sys, time
from server.ingress.launcher import start_router
from server.settings import RouterSettings
handle = start_router(RouterSettings.model_validate(json.loads(sys.argv[1])))
print(json.dumps(handle.pids()), flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_chosen_port_that_is_taken_meanwhile_is_replaced(
    quiet_shop: ServedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quiet_shop.settings(NO_TRITON, ingress=ONE_BEHIND_HAPROXY)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        chosen = [[taken.getsockname()[1]], free_ports(1)]
        free = chosen[1][0]
        monkeypatch.setattr(launcher, "free_ports", lambda count: chosen.pop(0))
        router = launcher.start_router(settings)
        try:
            assert router.address == f"127.0.0.1:{free}"
        finally:
            router.stop()


@pytest.mark.slow
def test_the_router_ends_with_the_program_that_started_it(quiet_shop: ServedShop) -> None:
    settings = quiet_shop.settings(NO_TRITON, ingress=ONE_BEHIND_HAPROXY)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, json.dumps(settings.model_dump(mode="json"))], stdout=subprocess.PIPE
    )
    try:
        assert starter.stdout is not None
        pids = json.loads(starter.stdout.readline())
        assert len(pids) > 5
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.communicate()
    until = time.monotonic() + 60
    while alive := [pid for pid in pids if _is_alive(pid)]:
        assert time.monotonic() < until, f"still alive: {alive}"
        time.sleep(0.1)


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


WITHOUT_TORCH = """
import asyncio, json, sys
import server.ingress.serve_haproxy, server.ingress.serve_own_grpc
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from router.service.call import new_call
from server.startup import start_service
from server.settings import RouterSettings

async def main():
    running = await start_service(RouterSettings.model_validate(json.loads(sys.argv[1])))
    loop = asyncio.get_running_loop()
    request = RecommendRequest(scene="home", user_id="u0001")
    answer = await running.service.recommend(request, new_call(loop.time()))
    await running.stop()
    print(json.dumps([len(answer.items), sorted({"torch", "polars", "pandas", "ray"} & set(sys.modules))]))

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_replica_imports_nothing_heavy(quiet_shop: ServedShop) -> None:
    settings = json.dumps(quiet_shop.settings(NO_TRITON).model_dump(mode="json"))
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, settings],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert json.loads(result.stdout.splitlines()[-1]) == [20, []]
