"""A router is up once HAProxy sends calls to its replicas, not through Ray Serve's own proxy."""

from __future__ import annotations

import logging
from itertools import count
from pathlib import Path

import pytest

from server.ingress import haproxy_replicas
from server.ingress.haproxy_admin import ADMIN_SOCKET, admin_sockets, send_command
from server.ingress.haproxy_replicas import replicas_listed, wait_for_replicas
from testing.running_router import Ingress

STAT = "# pxname,svname,status,act,bck,type,\n"
FRONT = "grpc_frontend,FRONTEND,OPEN,,,0,\ngrpc-shopfront,BACKEND,UP,1,1,1,\n"
FALLBACKS = (
    "grpc_fallback_backend,SERVE_PROXY_ACTOR-fallback-1,UP,1,0,2,\n"
    "grpc-shopfront,SERVE_PROXY_ACTOR-fallback-1,UP,0,1,2,\n"
)
HTTP = "http-shopfront,SERVE_REPLICA_a,UP,1,0,2,\n"
REPLICAS = "grpc-shopfront,SERVE_REPLICA_a,UP,1,0,2,\ngrpc-shopfront,SERVE_REPLICA_b,UP 1/2,1,0,2,\n"
DOWN = "grpc-shopfront,SERVE_REPLICA_c,DOWN 1/2,1,0,2,\n"


def test_replicas_that_get_calls_are_counted_and_serves_own_proxy_is_not() -> None:
    assert replicas_listed(STAT + FRONT + FALLBACKS + HTTP + DOWN + "\n") == 0
    assert replicas_listed(STAT + FRONT + FALLBACKS + HTTP + DOWN + REPLICAS + "\n") == 2


def test_an_answer_that_ends_anywhere_counts_what_it_says() -> None:
    whole = STAT + REPLICAS
    counted = [replicas_listed(whole[:length]) for length in range(len(whole))]
    assert counted == sorted(counted)
    assert counted[len(STAT) - 1] == 0
    assert counted[-1] == 2


def test_where_too_few_are_listed_in_time_it_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ADMIN_SOCKET).touch()
    answers = iter([STAT + FALLBACKS, *[STAT + REPLICAS] * 3])
    monkeypatch.setattr(haproxy_replicas, "send_command", lambda *_: next(answers))
    seconds = count()

    def wait(replicas: int) -> bool:
        return wait_for_replicas(
            tmp_path, replicas, 3, now=lambda: float(next(seconds)), sleep=lambda _: None
        )

    assert wait(2)
    with caplog.at_level(logging.WARNING):
        assert not wait(3)
    assert "HAProxy sends calls to 2 of 3 replicas 3 s after they were up" in caplog.text


@pytest.mark.slow
def test_a_router_that_runs_has_all_its_replicas_listed(ingress: Ingress) -> None:
    if ingress.kind != "haproxy":
        pytest.skip("there is no HAProxy")
    assert ingress.handle is not None
    (answer,) = [send_command(path, "show stat", 5) for path in admin_sockets(ingress.handle._folder)]
    assert replicas_listed(answer) == 2
