"""The router as an application of Ray Serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from foundation.collection import collection_paused
from foundation.telemetry.metrics.settings import MetricsSettings
from router.service.settings import AdmissionSettings
from server.ingress_settings import IngressSettings, RaySettings, SupervisionSettings

QUIET = {"enable_access_log": False, "log_level": "WARNING"}


class StartedSettings(BaseModel):
    """What is read of `RouterSettings` to start Ray; reading the other sections would import every room."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    ingress: IngressSettings
    ray: RaySettings
    supervision: SupervisionSettings
    metrics: MetricsSettings
    admission: AdmissionSettings


class HaproxyReplica:
    """One replica behind HAProxy, named by what deploys it; its process alone imports what it is made of."""

    # Ray Serve awaits the constructor.
    async def __init__(  # type: ignore[misc]
        self, settings: dict[str, Any], plugins: Sequence[str]
    ) -> None:
        """Becomes a `HaproxyIngress`: Ray Serve has made the object before it calls this."""
        with collection_paused():
            from server.ingress.serve_haproxy import HaproxyIngress

        self.__class__ = HaproxyIngress  # type: ignore[assignment]
        await HaproxyIngress.__init__(self, settings, plugins)  # type: ignore[arg-type]


class OwnGrpcReplica:
    """One replica with its own server, as `HaproxyReplica`."""

    # Ray Serve awaits the constructor.
    async def __init__(  # type: ignore[misc]
        self, settings: dict[str, Any], plugins: Sequence[str]
    ) -> None:
        """Becomes an `OwnGrpcIngress`: Ray Serve has made the object before it calls this."""
        with collection_paused():
            from server.ingress.serve_own_grpc import OwnGrpcIngress

        self.__class__ = OwnGrpcIngress  # type: ignore[assignment]
        await OwnGrpcIngress.__init__(self, settings, plugins)  # type: ignore[arg-type]


def application_of(settings: Mapping[str, Any], plugins: Sequence[str]) -> Any:
    """The router as an application of Ray Serve; Ray must not be imported before its environment is set.

    Args:
        settings: `RouterSettings` as JSON values.
        plugins: modules that each replica loads before it reads the settings.
    """
    from ray import serve

    started = StartedSettings.model_validate(settings)
    ingress = started.ingress
    # Above the limit of admission, which answers with RetryInfo; Serve's refusal carries none.
    most_calls = 2 * started.admission.max_concurrent
    deployment = serve.deployment(
        name="router",
        num_replicas=ingress.replicas,
        max_ongoing_requests=most_calls,
        max_queued_requests=most_calls,
        max_constructor_retry_count=3,
        health_check_period_s=ingress.health_check_period_s,
        health_check_timeout_s=ingress.health_check_timeout_s,
        graceful_shutdown_timeout_s=ingress.deregister_s + ingress.drain_s,
        graceful_shutdown_wait_loop_s=0.1,
        ray_actor_options={"num_cpus": started.ray.cpus_per_replica},
        # Serve's line about each request is made even where it is written nowhere.
        logging_config=QUIET,
    )(HaproxyReplica if ingress.kind == "haproxy" else OwnGrpcReplica)
    return deployment.bind(dict(settings), tuple(plugins))
