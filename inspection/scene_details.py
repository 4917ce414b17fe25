"""The scenes in service and the experiments on them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from foundation.statistics.assignment import BUCKETS
from inspection.setting_rows import setting_rows
from protos.shopfront.v1.admin_pb2 import ExperimentArm, InspectScenesResponse, SceneDetails
from router.engine.engine import Engine


def inspect_scenes(engine: Engine) -> InspectScenesResponse:
    """Every scene key by key, with what suits the shop in place of every `auto`; and every arm."""
    return InspectScenesResponse(
        scenes=[
            SceneDetails(name=name, settings=list(setting_rows(settings)))
            for name, settings in engine.scenes.items()
        ],
        arms=list(_arms(engine)),
    )


def _arms(engine: Engine) -> Iterator[ExperimentArm]:
    for scene, plan in engine.plans.items():
        for layer in plan.layers:
            for arm in layer.arms:
                yield ExperimentArm(
                    experiment=arm.experiment,
                    scene=scene,
                    arm=arm.name,
                    share=(arm.end - arm.first) / BUCKETS,
                    patch=json.dumps(arm.patch, ensure_ascii=False, default=str),
                )
