"""Every RPC service by name. A new one is a file next to this one and a line here, or a plug-in."""

from __future__ import annotations

from registration.registry import Registry
from server.rpc import admin, events, feedback, privacy, recommend, rollout, visual
from server.rpc.service import Service

SERVICES: Registry[Service] = Registry(
    "RPC service",
    "SERVICES",
    {
        "recommend": recommend.SERVICE,
        "events": events.SERVICE,
        "feedback": feedback.SERVICE,
        "visual": visual.SERVICE,
        "rollout": rollout.SERVICE,
        "admin": admin.SERVICE,
        "privacy": privacy.SERVICE,
    },
    kind=Service,
)
