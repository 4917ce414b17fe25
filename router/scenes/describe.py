"""Lists what a scene is made of at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.plan import Pipeline
from recall.query import Query
from router.scenes.settings import SceneSettings


def describe(scene: SceneSettings, pipeline: Pipeline[Query]) -> dict[str, Any]:
    """The live components of `pipeline`, assembled from `scene`, with their settings; fit for JSON.

    `switched_off` names channels that the scene names and that are off in it or missing from the snapshot.
    """
    live = [slot.channel.name for slot in pipeline.channels]
    return {
        "scene": pipeline.name,
        "channels": [{"name": name, **scene.channels[name].model_dump(mode="json")} for name in live],
        "switched_off": [name for name in scene.channels if name not in live],
        "fusion": {
            **_component(next(iter(scene.fusion)), scene.fusion),
            "candidates": pipeline.candidates,
            "oversample": pipeline.oversample,
        },
        "modulation": scene.modulation.model_dump(mode="json") if scene.modulation else None,
        "filters": [_component(stage.name, scene.filters) for stage in pipeline.filters],
        "backfill": scene.backfill.model_dump(mode="json") if scene.backfill else None,
        "prerank": scene.prerank.model_dump(mode="json") if scene.prerank else None,
        "ranking": scene.ranking.model_dump(mode="json") if pipeline.ranking else None,
        "rerank": [_component(stage.name, scene.rerank) for stage in pipeline.rerankers],
        "page": scene.page.model_dump(mode="json"),
        "cart": scene.cart.model_dump(mode="json") if scene.cart else None,
        "exploration": scene.exploration.model_dump(mode="json") if scene.exploration else None,
        "exposure_plans": scene.exposure_plans.model_dump(mode="json"),
        "feature_log": scene.feature_log.model_dump(mode="json"),
        "deadline": scene.deadline.model_dump(mode="json"),
        "quality": scene.quality.model_dump(mode="json") if scene.quality else None,
    }


def _component(name: str, settings: Mapping[str, BaseModel]) -> dict[str, Any]:
    """A component with its settings, where the scene gives it any."""
    return {"name": name, **(settings[name].model_dump(mode="json") if name in settings else {})}
