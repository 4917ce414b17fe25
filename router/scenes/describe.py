"""Lists what a scene is made of at this moment."""

from __future__ import annotations

from typing import Any

from recall.query import Query
from router.pipeline.runner import Pipeline
from router.scenes.settings import SceneSettings


def describe(scene: SceneSettings, pipeline: Pipeline[Query]) -> dict[str, Any]:
    """The live components of `pipeline`, assembled from `scene`, with their settings; fit for JSON.

    `switched_off` names channels that the scene asks for and the snapshot does not have.
    """
    live = [slot.channel.name for slot in pipeline.channels]
    return {
        "scene": pipeline.name,
        "channels": [{"name": name, **scene.channels[name].model_dump(mode="json")} for name in live],
        "switched_off": [name for name in scene.channels if name not in live],
        "fusion": {
            "name": "quota",
            "candidates": pipeline.candidates,
            "oversample": pipeline.oversample,
        },
        "filters": [
            {"name": stage.name, **scene.filters[stage.name].model_dump(mode="json")}
            for stage in pipeline.filters
        ],
        "backfill": scene.backfill.model_dump(mode="json") if scene.backfill else None,
        "ranking": scene.ranking.model_dump(mode="json") if pipeline.ranking else None,
        "rerank": [
            {"name": stage.name, **scene.rerank[stage.name].model_dump(mode="json")}
            for stage in pipeline.rerankers
        ],
        "page": scene.page.model_dump(mode="json"),
        "deadline": scene.deadline.model_dump(mode="json"),
    }
