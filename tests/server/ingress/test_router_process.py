"""What the process that starts Ray changes of Ray Serve."""

from __future__ import annotations

import inspect
import time
import warnings
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from server.ingress.router_process import look_often, proxies_beside_replicas


class Controller:
    """Says of an application that it is on its way, and at the second look that it has got there."""

    def __init__(self, *answers: Any) -> None:
        left = list(answers)
        self.delete_apps = SimpleNamespace(remote=lambda names: None)
        self.get_serve_status = SimpleNamespace(remote=lambda name: left.pop(0))
        self.get_serve_statuses = SimpleNamespace(remote=lambda names: [left.pop(0)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "argument", "wanted"),
    [("_wait_for_application_running", "shop", "RUNNING"), ("delete_apps", ["shop"], "NOT_STARTED")],
)
def test_serves_client_soon_notices_what_is_done(
    monkeypatch: pytest.MonkeyPatch, method: str, argument: Any, wanted: str
) -> None:
    with warnings.catch_warnings():
        # Of Serve's own code, about Pydantic.
        warnings.simplefilter("ignore")
        from ray.serve._private import client

    def status_of(answer: Any) -> SimpleNamespace:
        return SimpleNamespace(app_status=SimpleNamespace(status=answer))

    monkeypatch.setattr(client, "CLIENT_POLLING_INTERVAL_S", client.CLIENT_POLLING_INTERVAL_S)
    monkeypatch.setattr(client, "StatusOverviewProto", SimpleNamespace(FromString=lambda answer: answer))
    monkeypatch.setattr(client, "StatusOverview", SimpleNamespace(from_proto=status_of))
    monkeypatch.setattr(ray, "get", lambda answer: answer)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    look_often()
    status = client.ApplicationStatus
    controller = Controller(status.DEPLOYING, getattr(status, wanted))
    inspect.unwrap(getattr(client.ServeControllerClient, method))(
        SimpleNamespace(_controller=controller), argument
    )
    assert pauses == [0.1]


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_serves_proxies_are_awaited_after_what_is_deployed(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    from ray.serve._private import api

    order: list[str] = []

    def get(references: Any, timeout: float) -> None:
        order.append(f"awaited {references}")
        if late:
            raise ray.exceptions.GetTimeoutError

    def create(options: str) -> tuple[str, list[str]]:
        order.append(f"created {options}")
        return "controller", ["proxy"]

    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(api, "_create_controller_and_proxy_refs", create)
    ends = pytest.raises(TimeoutError, match="not up after") if late else nullcontext()
    with ends, proxies_beside_replicas():
        assert api._create_controller_and_proxy_refs("as given") == ("controller", [])  # type: ignore[call-arg]
        order.append("deployed")
    assert order == ["created as given", "deployed", "awaited ['proxy']"]
    assert api._create_controller_and_proxy_refs is create
    with pytest.raises(RuntimeError, match="no replica"), proxies_beside_replicas():
        raise RuntimeError("no replica")
    assert len(order) == 3, "what fails to deploy is said at once"
