"""Settings of rollouts that are judged on little traffic and take seconds."""

from __future__ import annotations

from typing import Any

from server.settings import RouterSettings
from testing.served_shop import ServedShop

# Wide margins, since the machine may be busy with other tests.
QUICK_JUDGE: dict[str, Any] = {
    "alpha": 0.2,
    "min_requests": 60,
    "min_users": 20,
    "errors": {"margin": 0.2},
    "degraded": {"margin": 0.2},
    "empty": {"margin": 0.2},
    "short": {"margin": 0.2},
    "latency": {"quantiles": [0.5], "ratio": 1.6, "allowance_ms": 20.0},
    "drift": {"psi": 1.0, "ks": 0.5},
    "overlap": {"minimum": 0.4, "min_requests": 20},
    # Off, so that what is wrong with a version's order reaches the other checks; it would be refused before.
    "pages": {"enabled": False},
    "ctr": {"margin": 0.5, "enabled": False},
    "cvr": {"margin": 0.5, "enabled": False},
}


def quick_settings(shop: ServedShop, triton_url: str, **sections: Any) -> RouterSettings:
    """Settings of a router whose rollouts take seconds."""
    rollout = {
        "judge": QUICK_JUDGE,
        "poll_interval_s": 0.1,
        "lease_s": 1.0,
        "shadow": {"share": 1.0},
        "preparation": {"requests": 10},
        "error_grace_s": 10.0,
        "missing_grace_s": 5.0,
        "deadline_s": 120.0,
    }
    return shop.settings(
        triton_url,
        ingress={"kind": "grpc", "address": "127.0.0.1:0"},
        rollout=rollout,
        ranking={"score_timeout_ms": 1_000.0, "breaker": {"timeouts": 0}},
        **sections,
    )
