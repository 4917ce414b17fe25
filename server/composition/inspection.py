"""What operators may look at, and what they may do at this address."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.configuration import SceneConfiguration
from inspection.inspection import Inspection
from inspection.logged_pages import LoggedPages
from inspection.merchandising import Merchandising
from inspection.recent_pages import RecentPages
from inspection.scene_edits.history import SceneHistory
from inspection.scene_edits.scene_file import SceneFile
from router.engine.live import LiveEngine
from router.scenes.watch import SceneWatch
from router.service.prepare import Sources
from server.ingress_settings import is_loopback, split_address
from server.settings import RouterSettings


def open_inspection(
    settings: RouterSettings,
    live: LiveEngine,
    sources: Sources,
    recent: RecentPages,
    configuration: SceneConfiguration,
    watches: Sequence[SceneWatch],
    pseudonym: Callable[[str], str],
) -> Inspection:
    """The inspection of one replica; on the event loop that it serves on.

    `sources`: what requests are answered from beside the snapshot; `configuration`: checks contents of the
    files of scenes and of experiments; `watches`: take up their edits, in this order; `pseudonym`: of
    shoppers in the feature log.
    """
    metrics = Path(settings.metrics.folder) if settings.metrics.enabled else None
    merchandising = Merchandising(
        live,
        sources.rules,
        settings.business_rules,
        settings.inspection.changes,
        sources.store,
        sources.environment,
    )
    changes, history = settings.inspection.changes, settings.inspection.scene_history
    scene_file = SceneFile(
        "router.scenes",
        settings.scenes,
        configuration.draft,
        watches[0],
        SceneHistory(history),
        changes,
        time.time,
    )
    experiment_file = None
    if settings.experiments is not None:
        experiment_file = SceneFile(
            "router.experiments",
            settings.experiments,
            configuration.draft_experiments,
            watches[1],
            SceneHistory(history / "experiments"),
            changes,
            time.time,
            absent=b"",
        )
    return Inspection(
        live,
        sources,
        recent,
        settings.inspection,
        metrics,
        merchandising,
        scene_file,
        experiment_file,
        LoggedPages(settings.feature_log.folder, pseudonym),
    )


def why_inspection_refused(settings: RouterSettings) -> str:
    """Why AdminService answers nobody; "" where it does.

    It reveals shoppers' histories, which no address shows to everybody who can reach it.
    """
    if not settings.inspection.enabled:
        return "this router shows nothing to operators: inspection.enabled is false"
    return _why_strangers_may_not("AdminService", settings)


def why_privacy_refused(settings: RouterSettings) -> str:
    """Why PrivacyService answers nobody; "" where it does.

    It hands out and deletes all that is held of shoppers.
    """
    return _why_strangers_may_not("PrivacyService", settings)


def why_uploads_refused(settings: RouterSettings) -> str:
    """Why PutPictures and DeletePictures answer nobody; "" where they do. They change what shoppers find."""
    return _why_strangers_may_not("PutPictures", settings)


def _why_strangers_may_not(service: str, settings: RouterSettings) -> str:
    tokens = settings.ingress.tokens
    named = tokens.operators_file is not None or bool(tokens.operators_environment)
    host, _ = split_address(settings.ingress.address)
    if named or is_loopback(host):
        return ""
    return (
        f"{settings.ingress.address} can be reached from other machines: {service} answers there only "
        "where ingress.tokens names operators' tokens"
    )
