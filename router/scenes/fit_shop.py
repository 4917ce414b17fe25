"""Replaces `auto` in a scene by what suits the shop whose snapshot is served."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from features.shop_fit.auto import AUTO
from features.shop_fit.proposal import Proposal, Proposed, propose
from recall.again import NAME as AGAIN
from router.filters.already_bought import AlreadyBoughtSettings
from router.filters.purchase_cycle import PurchaseCycleSettings
from router.rerank.dedup import DedupSettings
from router.scenes.problems import Path, SettingsError, dotted
from router.scenes.recall_settings import SceneChannel
from router.scenes.settings import SceneSettings
from snapshot.shop_facts import ShopFacts

log = logging.getLogger(__name__)

_WINDOWED = (AlreadyBoughtSettings, PurchaseCycleSettings)


def fit_scene(name: str, scene: SceneSettings, facts: ShopFacts | None) -> SceneSettings:
    """The scene with a value in place of every `auto`; what it says itself stays, and so does its order.

    Args:
        name: of the scene, for messages.
        scene: as configured.
        facts: of the shop, from the manifest of the data set or snapshot; None where that has none.

    Raises:
        SettingsError: the scene has an `auto` and there are no facts.
    """
    left_open = [path for path, _ in open_settings(scene)]
    if not left_open:
        return scene
    if facts is None:
        raise SettingsError(
            "scene configuration",
            [
                f"{dotted(('scenes', name, *path))}: {AUTO} follows from what was measured on the shop's "
                "log, which the snapshot of an earlier version lacks; run shopfront build, or name a value"
                for path in left_open
            ],
        )
    proposal = propose(facts)
    for path, proposed in _proposed(scene, proposal):
        log.info("scene %s: %s is %s: %s", name, dotted(path), proposed.value, proposed.reason)
    return scene.model_copy(
        update={
            "channels": _channels(scene, proposal),
            "filters": {key: _filter(settings, proposal) for key, settings in scene.filters.items()},
            "rerank": {key: _reranker(settings, proposal) for key, settings in scene.rerank.items()},
        }
    )


def open_settings(scene: SceneSettings) -> Iterator[tuple[Path, str]]:
    """(path in the scene, field of `Proposal`) of every `auto`."""
    for name, channel in scene.channels.items():
        if channel.share == AUTO:
            yield ("channels", name, "share"), "again"
    for name, settings in scene.filters.items():
        if isinstance(settings, PurchaseCycleSettings) and settings.learned == AUTO:
            yield ("filters", name, "learned"), "cycles"
        if isinstance(settings, _WINDOWED) and settings.window_days == AUTO:
            yield ("filters", name, "window_days"), "window_days"
    for name, settings in scene.rerank.items():
        if isinstance(settings, DedupSettings) and settings.enabled == AUTO:
            yield ("rerank", name, "enabled"), "dedup"


def again_channel(scene: SceneSettings, part: float) -> dict[str, Any]:
    """What the keys of the scene's channel `again` become, for its part (0 to below 1) of the weight."""
    if not part:
        return {"share": 0.0, "enabled": False}
    others = sum(
        float(channel.share)
        for name, channel in scene.channels.items()
        if name != AGAIN and channel.enabled and channel.share != AUTO
    )
    return {"share": round(part / (1 - part) * others, 4)}


def _proposed(scene: SceneSettings, proposal: Proposal) -> Iterator[tuple[Path, Proposed[Any]]]:
    for path, field in open_settings(scene):
        yield path, getattr(proposal, field)


def _channels(scene: SceneSettings, proposal: Proposal) -> dict[str, SceneChannel]:
    return {
        name: channel.model_copy(update=again_channel(scene, proposal.again.value))
        if channel.share == AUTO
        else channel
        for name, channel in scene.channels.items()
    }


def _filter(settings: Any, proposal: Proposal) -> Any:
    if not isinstance(settings, _WINDOWED):
        return settings
    update: dict[str, Any] = {}
    if settings.window_days == AUTO:
        update["window_days"] = proposal.window_days.value
    if isinstance(settings, PurchaseCycleSettings) and settings.learned == AUTO:
        update["learned"] = proposal.cycles.value
    return settings.model_copy(update=update)


def _reranker(settings: Any, proposal: Proposal) -> Any:
    if isinstance(settings, DedupSettings) and settings.enabled == AUTO:
        return settings.model_copy(update={"enabled": proposal.dedup.value})
    return settings
