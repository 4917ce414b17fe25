"""Versions with wrong single pages never answer a shopper, whatever the stages: real replicas and Triton."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testing.faulty_versions import add_version, shuffled_weights, similar_weights
from testing.quick_rollouts import QUICK_JUDGE, quick_settings
from testing.rollout_traffic import shoppers, stage
from testing.running_router import as_processes, watched
from testing.served_shop import make_shop
from testing.service_under_test import ServiceUnderTest
from testing.triton_server import tiny_triton

pytestmark = pytest.mark.slow

WITHOUT_SHADOW = [stage(2_000, 0.5, 60), stage(10_000, 0.5, 50)]
# Bounds are the served ones; verdicts come from less traffic.
_PAGES: dict[str, Any] = {"share": 0.1, "group_share": 0.3, "min_requests": 20}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    """Two replicas whose rollouts are judged by their single pages too."""
    folder: Path = tmp_path_factory.mktemp("pages")
    shop = make_shop(folder)
    with tiny_triton(folder, health_interval_s=0.3) as server, watched(server):
        quick = quick_settings(shop, server.grpc_url)
        rollout = quick.rollout.model_dump(mode="json")
        rollout["judge"] = QUICK_JUDGE | {"pages": _PAGES}
        rollout["preparation"]["requests"] = 60
        settings = quick.model_validate(quick.model_dump(mode="json") | {"rollout": rollout})
        with as_processes(settings) as ingress:
            yield ServiceUnderTest(ingress, shop, server)


def test_an_order_upside_down_is_refused_though_the_stages_skip_shadow(checked: ServiceUnderTest) -> None:
    version = add_version(checked.triton.repository, checked.dataset, weights=shuffled_weights())
    began = time.monotonic()
    with shoppers(checked.address) as traffic:
        time.sleep(3.0)
        checked.operator.start(version, WITHOUT_SHADOW)
        ended = checked.operator.wait_until("refused", "rolled_back", "promoted")
    assert ended.phase == "refused", ended.reason
    assert "differ too much" in ended.reason
    assert not traffic.touched(began, version)
    assert not traffic.errors


def test_a_good_retraining_is_promoted_by_its_pages_too(checked: ServiceUnderTest) -> None:
    version = add_version(checked.triton.repository, checked.dataset, weights=similar_weights())
    with shoppers(checked.address) as traffic:
        time.sleep(3.0)
        status = checked.operator.start(version, [stage(0, 0.5, 30), *WITHOUT_SHADOW])
        verdicts: dict[str, set[str]] = {}
        until = time.monotonic() + 90
        while status.phase not in ("refused", "rolled_back", "promoted") and time.monotonic() < until:
            status = checked.operator.status()
            for check in status.checks:
                verdicts.setdefault(check.name, set()).add(check.verdict)
            time.sleep(0.1)
    assert status.phase == "promoted", status.reason
    assert "pass" in verdicts["pages"]
    assert "fail" not in verdicts["pages"]
    assert not traffic.errors
